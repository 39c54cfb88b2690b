"""What the gateway counts, as Prometheus metrics over all worker processes.

The hot path answers 20,000 requests a second, and a prometheus_client counter that processes share costs some
microseconds per touch. So requests are tallied in plain dictionaries of the event loop's thread and folded into
Prometheus once a second, before a scrape of this process, and at shutdown.
"""

import asyncio
import logging
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from typing import NamedTuple

from django.db import connections
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric

from common.stores.circuits import Circuit
from common.stores.guarded import WRITE_STORE
from common.work.instance import instance_registry
from gateway.contract.http import Reply

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
COLLECT_SECONDS = 2.0
SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 10.0)
ITEMS_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 5000)

MetricsSource = Callable[[], Iterable[Metric]]


class Cell:
    """One histogram's observations since the last flush."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Limited(NamedTuple):
    """Requests over a limit since the last flush, and who sent the last of them."""

    requests: int
    client: str


class BulkHistogram(Histogram):
    """A histogram that takes a whole cell at once; the library only takes one value at a time."""

    def take(self, cell: Cell) -> None:
        self._sum.inc(cell.total)
        for bucket, count in zip(self._buckets, cell.counts, strict=True):
            if count:
                bucket.inc(count)


REQUESTS = Counter("floodgate_requests", "Requests answered.", ["route", "method", "status"])
DURATION = BulkHistogram(
    "floodgate_request_duration_seconds", "From the request's head to its answer.", ["route"], buckets=SECONDS_BUCKETS
)
BATCH_ITEMS = BulkHistogram("floodgate_batch_items", "Items per batch.", ["route"], buckets=ITEMS_BUCKETS)
RATE_LIMITED = Counter(
    "floodgate_rate_limited", "Requests over a rate limit: refused, or only counted (shadow).", ["route", "mode"]
)
QUEUE_WAIT = BulkHistogram(
    "floodgate_queue_wait_seconds", "Wait of a batch's oldest item.", ["route"], buckets=SECONDS_BUCKETS
)
CIRCUIT_OPEN = Gauge(
    "floodgate_circuit_open", "1 while a process goes without this store.", ["store"], multiprocess_mode="livemax"
)
WSGI_IN_FLIGHT = Gauge("floodgate_wsgi_in_flight", "Requests on Django's threads.", multiprocess_mode="livesum")


class Tally:
    """Counts since the last flush. Only the event loop's thread may call, so no locks: 0.5 us per request; threads of
    batches may call ``limited`` all the same.

    Args: circuits: whose states are told with each flush.
    """

    def __init__(self, circuits: Iterable[Circuit] = ()) -> None:
        self._circuits = tuple(circuits)
        self._requests: dict[tuple[str, str, int], Cell] = {}
        self._batch_items: dict[str, Cell] = {}
        self._queue_waits: dict[str, Cell] = {}
        self._limited: dict[tuple[str, str], Limited] = {}
        self._limited_lock = threading.Lock()

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        key = (route, method, status)
        cell = self._requests.get(key)
        if cell is None:
            cell = self._requests[key] = Cell(SECONDS_BUCKETS)
        cell.counts[bisect_left(SECONDS_BUCKETS, seconds)] += 1  # not add(): a call more is a third of the cost
        cell.total += seconds

    def batch(self, route: str, items: int, waited_seconds: float) -> None:
        """One batch that ran; ``waited_seconds`` is what its oldest item waited."""
        if route not in self._batch_items:
            self._batch_items[route] = Cell(ITEMS_BUCKETS)
            self._queue_waits[route] = Cell(SECONDS_BUCKETS)
        self._batch_items[route].add(items)
        self._queue_waits[route].add(waited_seconds)

    def limited(self, route: str, mode: str, client: str, requests: int) -> None:
        """``requests`` of one client that are over the limit; ``mode`` is refused or shadow. Thread-safe."""
        with self._limited_lock:
            before = self._limited.get((route, mode), Limited(0, ""))
            self._limited[route, mode] = Limited(before.requests + requests, client)

    def flush(self) -> None:
        """Fold everything into Prometheus and start at zero."""
        for (route, method, status), cell in self._requests.items():
            REQUESTS.labels(route, method, status).inc(sum(cell.counts))
            DURATION.labels(route).take(cell)
        for route, cell in self._batch_items.items():
            BATCH_ITEMS.labels(route).take(cell)
            QUEUE_WAIT.labels(route).take(self._queue_waits[route])
        self._flush_limited()
        for circuit in self._circuits:
            CIRCUIT_OPEN.labels(circuit.name).set(circuit.is_open)
        for cells in (self._requests, self._batch_items, self._queue_waits):
            cells.clear()

    def _flush_limited(self) -> None:
        """One line of log a second, whatever the flood; it names a client, as labels of a metric cannot."""
        with self._limited_lock:
            limited, self._limited = self._limited, {}
        for (route, mode), (requests, client) in limited.items():
            RATE_LIMITED.labels(route, mode).inc(requests)
            fields = {"route": route, "mode": mode, "requests": requests, "last_client": client}
            logger.warning("rate_limited", extra=fields)

    async def flush_every_second(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self.flush()


class _Source(NamedTuple):
    ask: MetricsSource
    store: str


_sources: list[_Source] = []


def register_collector(source: MetricsSource, store: str = WRITE_STORE.name) -> None:
    """Have ``source`` asked at each scrape, on a thread; when it raises or is too slow, its metrics are left out.

    Args: store: what it waits for, whose hanging then costs no metrics of another.
    """
    _sources.append(_Source(source, store))


def render() -> Reply:
    """The answer to GET /metrics; takes up to COLLECT_SECONDS, so call it on a thread."""
    registry = CollectorRegistry()
    registry.register(_Collected(_ask_sources()))
    body = generate_latest(instance_registry()) + generate_latest(registry)
    return Reply(200, body, content_type=CONTENT_TYPE_PLAIN_0_0_4.encode())


class _Collected:
    """Hands collected metrics to the library's text format."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


@cache
def _threads(store: str) -> ThreadPoolExecutor:
    """A bulkhead per store, as for batches."""
    return ThreadPoolExecutor(2 if store == WRITE_STORE.name else 1, thread_name_prefix=f"metrics-{store}")


def _ask_sources() -> list[Metric]:
    asked = [_threads(source.store).submit(_ask, source.ask) for source in _sources]
    done, late = wait(asked, timeout=COLLECT_SECONDS)
    for future in late:  # those that have not begun would only hold up the next scrape
        future.cancel()
    return [metric for future in asked if future in done for metric in _result(future)]


def _result(future: Future[list[Metric]]) -> list[Metric]:
    try:
        return future.result()
    except Exception:  # a dead store costs its own metrics only
        logger.warning("metrics_source_failed", exc_info=True)
        return []


def _ask(source: MetricsSource) -> list[Metric]:
    try:
        return list(source())
    finally:
        connections.close_all()
