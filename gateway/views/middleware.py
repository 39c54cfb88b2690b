"""Django's side of a request: its correlation id, which the gateway has checked or made, and what no view may meet."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import structlog
from django.core.paginator import InvalidPage
from django.http import HttpRequest, HttpResponse

from common.errors import FieldError, FloodgateError, InvalidInput, NotFound
from gateway.contract.problems import page_not_found, problem_to, store_problem

View = Callable[..., HttpResponse]


class CorrelationMiddleware:
    """Bind the request's correlation id to every log line, and answer what Django's own views raise of ours."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        structlog.contextvars.clear_contextvars()
        correlation_id = request.headers.get("X-Correlation-ID")
        with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
            return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """For Django's own views, the admin above all; DRF's come with the same answers from their handler."""
        if isinstance(exception, FloodgateError):
            return problem_to(request, exception)
        if isinstance(exception, InvalidPage):
            return problem_to(request, NotFound("There is no such page."))
        return store_problem(exception, request)


class RefuseNul:
    """A NUL character is in no text that PostgreSQL has, so whatever looks for one ends in an error of the database.

    Before sessions, as a cookie may spell one too. Forms are looked at where Django's own views get them; those of DRF
    have no CSRF protection and read their bodies strictly by themselves.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\0" in request.path_info:
            return page_not_found(request, NotFound())
        return _refusal(request, request.GET) or _refusal(request, request.COOKIES) or self.get_response(request)

    def process_view(self, request: HttpRequest, view: View, args: Any, kwargs: Any) -> HttpResponse | None:
        return None if getattr(view, "csrf_exempt", False) else _refusal(request, request.POST)


def _refusal(request: HttpRequest, given: Mapping[str, Any]) -> HttpResponse | None:
    errors = [FieldError(name.replace("\0", "")[:100], "Must not hold a NUL character.") for name in _with_nul(given)]
    return problem_to(request, InvalidInput(*errors)) if errors else None


def _with_nul(given: Mapping[str, Any]) -> Iterator[str]:
    lists = given.lists() if hasattr(given, "lists") else ((name, [value]) for name, value in given.items())
    for name, values in lists:
        if any("\0" in text for text in (name, *values)):
            yield name
