"""The batcher where traces are on: what its batch asks a store is a part of the requests' traces."""

from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry import trace

from gateway.batching.batcher import Batcher

_tracer = trace.get_tracer("floodgate")


class TracedBatcher(Batcher[Any, Any]):
    """One span for many requests: a child of the first one's, with links to the others."""

    def __init__(self, run: Callable[[list[Any]], Sequence[Any]], *arguments: Any, **options: Any) -> None:
        def run_within_span(pairs: list[Any]) -> Sequence[Any]:
            first, *others = [span for _, span in pairs]
            links = [trace.Link(span.get_span_context()) for span in others if span.get_span_context().is_valid]
            parent = trace.set_span_in_context(first)
            with _tracer.start_as_current_span("batch", parent, links=links, attributes={"items": len(pairs)}):
                return run([item for item, _ in pairs])

        super().__init__(run_within_span, *arguments, **options)

    def call(self, item: Any, tell: Any) -> None:
        super().call((item, trace.get_current_span()), tell)
