"""Pages of other origins: preflights, and who may read answers, at both doors."""

import asyncio
from typing import Any

import pytest
from pytest_django import Settings

from gateway.server.cors import with_cors

ORIGIN = "https://shop.example"
EXPOSED = {"correlationid", "x-correlation-id", "idempotency-replayed", "retry-after", "ratelimit", "ratelimit-policy"}
EXPOSED |= {"x-data-version", "etag", "location"}


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": [(b"vary", b"accept")]})
    await send({"type": "http.response.body", "body": b""})


def ask(method: str, **headers: str) -> tuple[int, dict[str, str]]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": "/increment", "headers": pairs}
    asyncio.run(with_cors(app)(scope, None, send))  # type: ignore[arg-type]
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


@pytest.fixture
def allowed(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = (ORIGIN,)


def test_nothing_stands_in_front_while_no_origin_is_allowed() -> None:
    assert with_cors(app) is app


@pytest.mark.usefixtures("allowed")
def test_preflight_is_answered_for_what_clients_send() -> None:
    wanted = "authorization,content-type,idempotency-key,correlationid,if-none-match"
    status, headers = ask(
        "OPTIONS", origin=ORIGIN, access_control_request_method="POST", access_control_request_headers=wanted
    )
    assert (status, headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert headers["access-control-allow-headers"] == wanted
    assert "POST" in headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in headers


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("origin", ["https://evil.example", "null", ORIGIN + ".evil.example", "http://shop.example"])
def test_preflight_of_a_stranger_is_refused(origin: str) -> None:
    status, headers = ask("OPTIONS", origin=origin, access_control_request_method="POST")
    assert status == 400
    assert "access-control-allow-origin" not in headers


@pytest.mark.usefixtures("allowed")
def test_answer_may_be_read_with_all_that_it_tells() -> None:
    status, headers = ask("POST", origin=ORIGIN)
    assert (status, headers["access-control-allow-origin"]) == (299, ORIGIN)
    assert {name.strip().lower() for name in headers["access-control-expose-headers"].split(",")} == EXPOSED
    assert headers["vary"] == "accept, Origin"
    assert "access-control-allow-origin" not in ask("POST", origin="https://evil.example")[1]
    assert "access-control-allow-origin" not in ask("POST")[1]


def test_star_allows_every_page_and_no_cookies(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ("*",)
    headers = ask("GET", origin="https://any.example")[1]
    assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers
