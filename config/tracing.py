"""Traces and reports of errors, for those who set OTEL_EXPORTER_OTLP_ENDPOINT or SENTRY_DSN; nothing is imported else.

A trace has the correlation id of its request as its id, and so has the work on an import or a batch, which finds the id
in its row: one trace from web through Celery to the stores, without anything that is kept for it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from structlog.contextvars import bound_contextvars, get_contextvars

from common.work.afterwork import trace_work
from config import env
from config.redaction import redacted
from gateway.contract.correlation import correlation_id_of, fresh_id
from gateway.contract.headers import fields_of
from gateway.contract.http import ASGIApp, Receive, Scope, Send
from gateway.errors import InvalidCorrelationId

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

MISSING = "{name} is set, and {package} is not here: pip install -r requirements-tracing.txt"
UNTRACED = "health,metrics"  # addresses that are asked every second


def start_tracing(service: str) -> None:
    """In a process that works, after it was forked. Raises ImproperlyConfigured: a package is missing."""
    try:
        if env.SENTRY_DSN:
            _start_sentry(service)
        if env.OTEL_EXPORTER_OTLP_ENDPOINT:
            _start_traces(service)
    except ImportError as exc:
        name = "SENTRY_DSN" if env.SENTRY_DSN and "sentry" in str(exc) else "OTEL_EXPORTER_OTLP_ENDPOINT"
        raise ImproperlyConfigured(MISSING.format(name=name, package=exc.name)) from exc


def _start_sentry(service: str) -> None:
    """What it is told is what may stand in a log."""
    import sentry_sdk

    sentry_sdk.init(
        env.SENTRY_DSN,
        release=env.FLOODGATE_VERSION,
        server_name=service,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=lambda event, hint: redacted(event),
        before_breadcrumb=lambda crumb, hint: redacted(crumb),
    )


def _start_traces(service: str) -> None:
    from opentelemetry import trace
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
    from opentelemetry.instrumentation.redis import RedisInstrumentor

    trace.set_tracer_provider(_provider(service))
    PsycopgInstrumentor().instrument(skip_dep_check=True)  # psycopg comes as its binary package
    celery = CeleryInstrumentor()  # type: ignore[no-untyped-call]
    for instrumentor in (celery, DjangoInstrumentor(), RedisInstrumentor()):
        instrumentor.instrument()
    trace_work(_work_span)


def _provider(service: str) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class CorrelationIds(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            correlation_id = get_contextvars().get("correlation_id")
            return UUID(correlation_id).int if correlation_id else super().generate_trace_id()

    resource = Resource.create({"service.name": service, "service.version": env.FLOODGATE_VERSION})
    provider = TracerProvider(id_generator=CorrelationIds(), resource=resource)
    exporter = OTLPSpanExporter(f"{env.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


@contextmanager
def _work_span(name: str) -> Iterator[None]:
    """Of the trace of who asked for it, with a link to the task that does it, and maybe other work too."""
    from opentelemetry import trace
    from opentelemetry.context import Context

    task = trace.get_current_span().get_span_context()
    links = [trace.Link(task)] if task.is_valid else []
    with trace.get_tracer("floodgate").start_as_current_span(name, context=Context(), links=links):
        yield


def traced(application: ASGIApp) -> ASGIApp:
    """The application itself unless traces are on: they cost the hot path nothing when they are off."""
    if not env.OTEL_EXPORTER_OTLP_ENDPOINT:
        return application
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    inner = OpenTelemetryMiddleware(
        _with_headers(application, _traceparent), excluded_urls=UNTRACED, exclude_spans=["send", "receive"]
    )
    return _with_correlation_id(inner)


def _with_correlation_id(application: ASGIApp) -> ASGIApp:
    """Choose the correlation id before the trace begins: the client's, else that of its own trace, else a new one."""

    async def with_chosen_id(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await application(scope, receive, send)
        try:
            correlation_id = _chosen_id(scope["headers"])
        except InvalidCorrelationId:  # the gateway says so
            return await application(scope, receive, send)
        headers = [pair for pair in scope["headers"] if pair[0] not in (b"correlationid", b"x-correlation-id")]
        scope = {**scope, "headers": [*headers, (b"x-correlation-id", correlation_id.encode())]}
        with bound_contextvars(correlation_id=correlation_id):
            await application(scope, receive, send)
        return None

    return with_chosen_id


def _chosen_id(headers: list[tuple[bytes, bytes]]) -> str:
    given = fields_of(headers)
    if b"correlationid" in given or b"x-correlation-id" in given:
        return correlation_id_of(given)
    version, _, rest = given.get(b"traceparent", b"").decode("latin-1").partition("-")
    try:
        return str(UUID(hex=rest[:32])) if version == "00" and len(rest) == 52 else fresh_id()
    except ValueError:
        return fresh_id()


def _with_headers(application: ASGIApp, headers: Callable[[], dict[str, str]]) -> ASGIApp:
    """Django's side runs on threads, and finds the trace in what its request says."""

    async def add(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            ours = [(name.encode(), value.encode()) for name, value in headers().items()]
            names = {name for name, _ in ours}
            kept = [pair for pair in scope["headers"] if pair[0] not in names]
            scope = {**scope, "headers": [*kept, *ours]}
        await application(scope, receive, send)

    return add


def _traceparent() -> dict[str, str]:
    from opentelemetry.propagate import inject

    carrier: dict[str, Any] = {}
    inject(carrier)
    return carrier
