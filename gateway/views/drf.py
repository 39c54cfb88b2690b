"""The DRF twin of every hot endpoint: same parsing, same bulk function, same answers, and its entry in OpenAPI.

It serves the endpoint when HOT_PATH is off, and whatever the hot path leaves to Django (HEAD, OPTIONS, wrong methods).
"""

import re
import time
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from common.errors import NOTHING_DONE, StoreUnavailable
from gateway.batching.batches import run_batch
from gateway.contract.http import HotRequest
from gateway.contract.idempotency import IDEMPOTENCY_KEY
from gateway.contract.problems import as_http_response
from gateway.endpoints.hot import ASK_AGAIN_SECONDS, HotEndpoint, hot_endpoints
from gateway.keys.clients import account_of
from gateway.views.exactview import ExactView
from gateway.views.strictview import query_of, reads_request_itself


def hot_urlpatterns() -> list[URLPattern]:
    """One URL pattern per hot endpoint; methods of one path share a view. Where the app has a view, it has the twin."""
    by_path: dict[str, list[HotEndpoint[Any, Any]]] = {}
    for endpoint in hot_endpoints():
        if endpoint.has_view:
            continue
        by_path.setdefault(endpoint.path, []).append(endpoint)
    return [
        path(re.sub(r"\{(\w+)\}", r"<str:\1>", where).lstrip("/"), _view_class(endpoints).as_view())
        for where, endpoints in by_path.items()
    ]


def _view_class(endpoints: list[HotEndpoint[Any, Any]]) -> type[APIView]:
    handlers = {endpoint.method.lower(): twin_of(endpoint) for endpoint in endpoints}
    scopes = {endpoint.method.lower(): endpoint.needs for endpoint in endpoints}
    return type(
        f"{endpoints[0].name.title().replace('_', '')}View",
        (ExactView,),
        {**handlers, "scopes": scopes, "is_audited": False},
    )


def twin_of(endpoint: HotEndpoint[Any, Any]) -> Any:
    """The handler of a DRF view that answers as the hot endpoint does."""

    @reads_request_itself
    def handle(view: APIView, request: Request, **params: str) -> HttpResponseBase:
        hot_request = _hot_request(request._request, next(iter(params.values()), ""))
        item = endpoint.item(hot_request)
        if endpoint.store.is_open and not endpoint.answers_without_store:
            raise StoreUnavailable(NOTHING_DONE)
        return as_http_response(endpoint.answer(hot_request, _final(endpoint, item)))

    handle.stores = (endpoint.store,)  # type: ignore[attr-defined]
    handle.answers_without_store = endpoint.answers_without_store  # type: ignore[attr-defined]
    described = extend_schema(
        operation_id=endpoint.name,
        tags=[endpoint.parse.__module__.partition(".")[0]],
        parameters=[*endpoint.parameters, *([IDEMPOTENCY_KEY] if endpoint.method == "POST" else [])],
        description=endpoint.description,
        request=endpoint.request_serializer,
        responses=endpoint.responses,
    )
    return described(handle)


def _final(endpoint: HotEndpoint[Any, Any], item: Any) -> Any:
    """The item's result once it is final or its time is up; the thread waits."""
    started = time.monotonic()
    result = run_batch(endpoint.run, [item])[0]
    while (left := started + endpoint.seconds_to_wait(item, result) - time.monotonic()) > 0:
        time.sleep(min(ASK_AGAIN_SECONDS, left))
        result = run_batch(endpoint.run, [item])[0]
    return result


def _hot_request(request: HttpRequest, param: str) -> HotRequest:
    return HotRequest(
        param=param,
        query_string=query_of(request),
        fields={name.lower().encode(): value.encode("latin-1") for name, value in request.headers.items()},
        correlation_id=request.headers.get("X-Correlation-ID", ""),
        body=request.body,
        address=request.META.get("REMOTE_ADDR", ""),
        account=account_of(request.headers),
    )
