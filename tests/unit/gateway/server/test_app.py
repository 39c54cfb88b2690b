"""A hot endpoint with a body, declared once: on the hot path and as its DRF twin."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from common.errors import FieldError, FloodgateError, InvalidInput, Overloaded
from common.stores.circuits import Circuit
from gateway.contract.http import HotRequest, Message, Reply, Room, Scope, read_body
from gateway.endpoints.hot import HotEndpoint
from gateway.keys.scopes import KeyScope
from gateway.server.app import Gateway
from gateway.views.drf import _view_class

STORE = Circuit("example", lambda: None)
CORRELATION_ID = "11111111-2222-4333-8444-555555555555"


def parse(request: HotRequest) -> int:
    try:
        return int(json.loads(request.body)["value"])
    except (ValueError, KeyError, TypeError) as exc:
        raise InvalidInput(FieldError("value", "Must be a number.")) from exc


def double(items: list[int]) -> list[int | FloodgateError]:
    return [Overloaded() if item == 13 else 2 * item for item in items]


DOUBLE: HotEndpoint[int, int] = HotEndpoint(
    name="double",
    method="POST",
    path="/double",
    needs=KeyScope.READ,
    parse=parse,
    run=double,
    reply=lambda request, result: Reply(200, json.dumps({"doubled": result}).encode()),
    store=STORE,
    body_limit_bytes=64,
)


async def django(scope: Scope, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"django"})


def scope_of(length: int, *, path: str = "/double", method: str = "POST") -> Scope:
    headers = [(b"content-length", b"%d" % length), (b"correlationid", CORRELATION_ID.encode())]
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}


def ask(body: bytes, *, path: str = "/double", method: str = "POST", length: int | None = None) -> tuple[int, bytes]:
    scope = scope_of(len(body) if length is None else length, path=path, method=method)
    messages: Iterator[Message] = iter(
        [{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}]
    )
    sent: list[Message] = []

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await Gateway(django, [DOUBLE])(scope, receive, send)

    asyncio.run(run())
    assert (b"x-correlation-id", CORRELATION_ID.encode()) in sent[0]["headers"]
    return sent[0]["status"], b"".join(message["body"] for message in sent[1:])


def ask_twin(body: bytes) -> tuple[int, bytes]:
    request = RequestFactory().post(
        "/double", body, content_type="application/json", headers={"X-Correlation-ID": CORRELATION_ID}
    )
    response = _view_class([DOUBLE]).as_view()(request)
    return response.status_code, response.content


@pytest.mark.parametrize(
    ("body", "status"),
    [(b'{"value": 21}', 200), (b'{"value": "x"}', 400), (b"{", 400), (b'{"value": 13}', 503), (b" " * 65, 413)],
)
def test_both_roads_give_the_same_answer(body: bytes, status: int) -> None:
    answer = ask(body)
    assert answer[0] == status
    assert answer == ask_twin(body)


def test_body_that_ends_early_is_refused() -> None:
    status, body = ask(b'{"value": 1}', length=40)
    assert (status, json.loads(body)["code"]) == (400, "incomplete-body")


def test_bodies_that_come_slowly_take_no_place_of_others() -> None:
    async def endless() -> Message:
        if not pieces:
            await asyncio.Event().wait()
        return pieces.pop()

    async def run() -> int:
        gateway = Gateway(django, [replace(DOUBLE, in_flight_limit=1)])
        slow = asyncio.create_task(gateway(scope_of(40), endless, send))
        await asyncio.sleep(0)
        await gateway(scope_of(12), receive, send)
        slow.cancel()
        return int(sent[0]["status"])

    pieces: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}]
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b'{"value": 1}', "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    assert asyncio.run(run()) == 200


def test_bodies_that_come_slowly_share_a_limited_memory() -> None:
    async def read(room: Room, *sizes: int) -> int:
        messages = iter([{"type": "http.request", "body": b"x" * size, "more_body": True} for size in sizes])
        last: Message = {"type": "http.request", "body": b"", "more_body": False}

        async def receive() -> Message:
            return next(messages, last)

        return len(await read_body(receive, {}, 1_000, room))

    room = Room(100)
    assert asyncio.run(read(room, 40, 60)) == 100
    with pytest.raises(Overloaded):
        asyncio.run(read(room, 40, 61))
    assert room.left == 100


def test_what_a_stopping_server_cannot_wait_for_is_told() -> None:
    sent: list[Message] = []

    async def endless() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        request = asyncio.create_task(Gateway(django, [DOUBLE])(scope_of(40), endless, send))
        await asyncio.sleep(0)
        request.cancel()
        await request

    asyncio.run(run())
    assert (sent[0]["status"], json.loads(sent[1]["body"])["code"]) == (503, "shutting-down")


def test_open_circuit_refuses_on_both_roads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(STORE, "is_open", True)
    assert ask(b'{"value": 21}')[0] == 503
    assert ask_twin(b'{"value": 21}')[0] == 503


def test_what_is_not_hot_belongs_to_django() -> None:
    assert ask(b"", path="/elsewhere") == (299, b"django")
    assert ask(b"", method="GET") == (299, b"django")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_probe_of_kubernetes_gets_no_content_and_needs_nothing(method: str, settings: Settings) -> None:
    settings.API_KEYS_REQUIRED = True
    scope: Scope = {"type": "http", "method": method, "path": "/healthz", "query_string": b"", "headers": []}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await Gateway(django, [DOUBLE])(scope, django, send)  # type: ignore[arg-type]

    asyncio.run(run())
    names = {name for name, _ in sent[0]["headers"]}
    assert (sent[0]["status"], sent[1]["body"]) == (204, b"")
    assert not names & {b"content-length", b"content-type"}
