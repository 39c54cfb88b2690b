import threading
from collections.abc import Iterable, Iterator
from functools import cache

import pytest
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from common.stores.guarded import CACHE, READ_STORE, TRUTH, WRITE_STORE
from gateway.operate import metrics
from gateway.operate.metrics import Tally


@pytest.fixture(autouse=True)
def _own_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_sources", [])
    monkeypatch.setattr(metrics, "COLLECT_SECONDS", 0.2)
    monkeypatch.setattr(metrics, "_threads", cache(metrics._threads.__wrapped__))  # none that an earlier test holds up


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def sample(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_requests_are_counted_by_route_method_and_status() -> None:
    tally = Tally()
    for _ in range(3):
        tally.request("spread", "GET", 200, 0.002)
    tally.request("spread", "GET", 404, 20.0)
    assert sample("floodgate_requests_total", route="spread", method="GET", status="200") is None
    tally.flush()
    assert sample("floodgate_requests_total", route="spread", method="GET", status="200") == 3
    assert sample("floodgate_requests_total", route="spread", method="GET", status="404") == 1
    assert sample("floodgate_request_duration_seconds_bucket", route="spread", le="0.001") == 0
    assert sample("floodgate_request_duration_seconds_bucket", route="spread", le="0.0025") == 3
    assert sample("floodgate_request_duration_seconds_count", route="spread") == 4
    assert sample("floodgate_request_duration_seconds_sum", route="spread") == pytest.approx(20.006)


def test_a_value_on_a_bound_is_in_that_bucket_as_in_the_library() -> None:
    tally = Tally()
    tally.request("bound", "GET", 200, 0.005)
    tally.flush()
    metrics.DURATION.labels("bound").observe(0.005)
    assert sample("floodgate_request_duration_seconds_bucket", route="bound", le="0.005") == 2
    assert sample("floodgate_request_duration_seconds_bucket", route="bound", le="0.0025") == 0


def test_a_second_flush_adds_nothing() -> None:
    tally = Tally()
    tally.request("once", "POST", 200, 0.1)
    tally.flush()
    tally.flush()
    assert sample("floodgate_requests_total", route="once", method="POST", status="200") == 1


def test_batches_are_counted_by_items_and_wait() -> None:
    tally = Tally()
    tally.batch("batched", 64, 0.003)
    tally.batch("batched", 1, 0.0)
    tally.flush()
    assert sample("floodgate_batch_items_sum", route="batched") == 65
    assert sample("floodgate_batch_items_bucket", route="batched", le="32.0") == 1
    assert sample("floodgate_queue_wait_seconds_count", route="batched") == 2


def test_an_open_circuit_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CACHE, "is_open", True)
    Tally([CACHE, READ_STORE]).flush()
    assert sample("floodgate_circuit_open", store="valkey-cache") == 1
    assert sample("floodgate_circuit_open", store="read-store") == 0


def rows() -> Iterable[Metric]:
    yield GaugeMetricFamily("example_rows", "Rows.", value=5)


def failing() -> Iterable[Metric]:
    raise ConnectionError


def test_sources_are_asked_at_each_scrape_and_a_dead_one_is_left_out() -> None:
    metrics.register_collector(failing)
    metrics.register_collector(rows)
    reply = metrics.render()
    assert reply.status == 200
    assert b"example_rows 5.0" in reply.body
    assert b"floodgate_wsgi_in_flight" in reply.body


def test_a_source_that_hangs_is_left_out_at_the_deadline(stuck: threading.Event) -> None:
    def hanging() -> Iterable[Metric]:
        stuck.wait()
        return []

    metrics.register_collector(hanging)
    metrics.register_collector(rows)
    assert b"example_rows 5.0" in metrics.render().body
    assert not stuck.is_set()


def test_a_store_that_hangs_costs_no_metrics_of_another(stuck: threading.Event) -> None:
    begun = []

    def hanging() -> Iterable[Metric]:
        begun.append(1)
        stuck.wait()
        return []

    for _ in range(9):
        metrics.register_collector(hanging, WRITE_STORE.name)
    metrics.register_collector(rows, TRUTH.name)
    for _ in range(3):
        assert b"example_rows 5.0" in metrics.render().body
    stuck.set()
    metrics._threads(WRITE_STORE.name).shutdown()
    assert len(begun) == 2  # one per thread: nothing piles up behind them
