"""Traces as a collector gets them: one from the request through Celery to the stores."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.acceptance.harness import running_stack, wait_until
from tests.receiver import receiver

SOON_SECONDS = 30.0  # exporters send every five
ROWS = "".join(f"{uuid4()},1.50,2030-01-01 00:00:00 +0000 UTC\n" for _ in range(10))


class Span(NamedTuple):
    service: str
    name: str
    parent: bytes
    links: int


class Collector:
    """Spans by trace."""

    def __init__(self) -> None:
        self._spans: defaultdict[UUID, list[Span]] = defaultdict(list)
        self._lock = threading.Lock()

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            (service,) = [one.value.string_value for one in resource.resource.attributes if one.key == "service.name"]
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                with self._lock:
                    found = Span(service, span.name, span.parent_span_id, len(span.links))
                    self._spans[UUID(bytes=span.trace_id)].append(found)

    def trace(self, number: str) -> set[tuple[str, str]]:
        with self._lock:
            return {(span.service, span.name) for span in self._spans[UUID(number)]}

    def batches(self) -> list[Span]:
        with self._lock:
            return [span for spans in self._spans.values() for span in spans if span.name == "batch"]


@contextmanager
def collecting() -> Iterator[tuple[Collector, str]]:
    collector = Collector()
    with receiver(lambda body, _: collector.take(body)) as address:
        yield collector, f"http://{address}"


def test_a_trace_goes_from_the_request_through_its_work_to_the_stores(tmp_path: Path) -> None:
    with (
        collecting() as (collector, endpoint),
        running_stack(tmp_path / "data", WEB_WORKERS="1", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as stack,
        httpx.Client(base_url=stack.url, timeout=20) as client,
    ):
        answer = client.post("/process-csv", files={"file": ("promotions.csv", ROWS)})
        assert answer.status_code == 202, answer.text
        number = answer.headers["correlationId"]
        wanted = {("web", "POST /process-csv"), ("web", "INSERT"), ("worker", "INSERT")}
        wanted |= {("worker", f"import: {step}") for step in ("queued", "loading", "checking")}
        wait_until(
            lambda: wanted <= collector.trace(number), "one trace", SOON_SECONDS, lambda: collector.trace(number)
        )

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda _: client.post("/increment", json={"key": str(uuid4()), "value": 1}), range(200)))
        wait_until(lambda: any(span.links for span in collector.batches()), "batch of many requests", SOON_SECONDS)
        assert all(span.parent for span in collector.batches())

        ours = str(uuid4())
        context = {"traceparent": f"00-{UUID(ours).hex}-00f067aa0ba902b7-01"}
        assert client.get(f"/promotions/{ROWS[:36]}", headers=context).headers["correlationId"] == ours
        wait_until(lambda: ("web", "batch") in collector.trace(ours), "the client's own trace", SOON_SECONDS)
