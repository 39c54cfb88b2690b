"""Django's side of the correlation id, which the gateway has already checked or made."""

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from gateway.problems import store_problem


class CorrelationMiddleware:
    """Bind the request's correlation id to every log line, and answer 503 when a store is away."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        structlog.contextvars.clear_contextvars()
        correlation_id = request.headers.get("X-Correlation-ID")
        with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
            return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """For Django's own views, the admin above all; DRF's come with the same answer from their handler."""
        return store_problem(exception, request)
