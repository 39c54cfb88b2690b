"""Which requests the hot path takes."""

from typing import Any

import pytest

from common.stores.circuits import Circuit
from gateway.contract.http import Reply
from gateway.endpoints.hot import HotEndpoint
from gateway.endpoints.router import Router
from gateway.keys.scopes import KeyScope


def endpoint(method: str, path: str, **options: Any) -> HotEndpoint[Any, Any]:
    return HotEndpoint(
        name=f"{method} {path}",
        method=method,
        path=path,
        needs=KeyScope.READ,
        parse=lambda request: None,
        run=lambda items: items,
        reply=lambda request, result: Reply(200, b""),
        store=Circuit("none", lambda: None),
        **options,
    )


ROUTER = Router(
    [
        endpoint("POST", "/increment"),
        endpoint("GET", "/promotions/{id}", reserved=frozenset({"versions"})),
        endpoint("GET", "/promotions/special"),
        endpoint("GET", "/api/v1/timestamp/{id}"),
        endpoint("POST", "/api/v1/timestamp/{time}"),
        endpoint("POST", "/api/v1/timestamp"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "name", "param"),
    [
        ("POST", "/increment", "POST /increment", ""),
        ("GET", "/promotions/1", "GET /promotions/{id}", "1"),
        ("GET", "/promotions/a b%", "GET /promotions/{id}", "a b%"),
        ("GET", "/promotions/special", "GET /promotions/special", ""),
        ("POST", "/api/v1/timestamp", "POST /api/v1/timestamp", ""),
        ("GET", "/api/v1/timestamp/x", "GET /api/v1/timestamp/{id}", "x"),
        ("POST", "/api/v1/timestamp/x", "POST /api/v1/timestamp/{time}", "x"),
    ],
)
def test_request_finds_its_endpoint(method: str, path: str, name: str, param: str) -> None:
    match = ROUTER.match(method, path)
    assert match is not None
    assert (match.endpoint.name, match.param) == (name, param)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/increment"),
        ("POST", "/increment/"),
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/promotions"),
        ("GET", "/promotions/"),
        ("GET", "/promotions/versions"),
        ("HEAD", "/promotions/1"),
        ("GET", "/promotions/1/2"),
        ("GET", "//promotions/1"),
        ("GET", "/other/1"),
    ],
)
def test_everything_else_is_left_to_django(method: str, path: str) -> None:
    assert ROUTER.match(method, path) is None
