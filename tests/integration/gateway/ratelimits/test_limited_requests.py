"""Rate limits as clients of the gateway meet them, on the hot path and in front of Django."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from prometheus_client import REGISTRY
from pytest_django import Settings

from common.stores.circuits import Circuit
from gateway.batching import batches
from gateway.contract.http import Message, Reply, Scope
from gateway.endpoints.hot import HotEndpoint
from gateway.keys.scopes import KeyScope
from gateway.ratelimits import limiter as limiter_module
from gateway.server.app import Gateway

STORE = Circuit("example", lambda: None)


def hot(name: str, method: str = "POST", run: Callable[[list[Any]], list[Any]] = list) -> HotEndpoint[Any, Any]:
    return HotEndpoint(
        name=name,
        method=method,
        path=f"/{name}",
        needs=KeyScope.READ,
        parse=lambda request: request.body,
        run=run,
        reply=lambda request, result: Reply(200, result),
        store=STORE,
        body_limit_bytes=64 if method == "POST" else 0,
    )


ENDPOINTS = [hot("add"), hot("take"), hot("read", "GET")]


class Answer(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    body: bytes
    pieces_read: int


@pytest.fixture(autouse=True)
def limits(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small enough to be met; there is no database here."""
    settings.RATE_LIMIT = "on"
    settings.RATE_LIMIT_POLICIES = {"hot": 5, "add": 3, "django": 2, "orders": 4}
    settings.LIMITED_PATHS = [("orders", "/partners/orders")]
    monkeypatch.setattr(batches, "close_old_connections", lambda: None)


async def django(scope: Scope, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"django"})


async def ask(gateway: Gateway, method: str, path: str, client: str) -> Answer:
    scope: Scope = {"type": "http", "method": method, "path": path, "query_string": b"", "client": (client, 5000)}
    content = b"body" if method == "POST" else b""
    scope["headers"] = [(b"content-length", b"%d" % len(content))]
    sent: list[Message] = []
    body: Iterator[Message] = iter([{"type": "http.request", "body": content}, {"type": "http.disconnect"}])
    read_before_answer = 0

    async def receive() -> Message:
        nonlocal read_before_answer
        read_before_answer += not sent
        return next(body)

    async def send(message: Message) -> None:
        sent.append(message)

    await gateway(scope, receive, send)
    answer = b"".join(message["body"] for message in sent[1:])
    return Answer(sent[0]["status"], dict(sent[0]["headers"]), answer, read_before_answer)


def somebody() -> str:
    """An address of the documentation's network for IPv6, in a /64 of its own."""
    digits = uuid4().hex
    return f"2001:db8:{digits[:4]}:{digits[4:8]}::1"


def statuses(method: str, path: str, times: int, *, client: str = "", hot_path: bool = True) -> list[int]:
    async def run() -> list[int]:
        gateway = Gateway(django, ENDPOINTS, hot_path=hot_path)
        asker = client or somebody()
        return [(await ask(gateway, method, path, asker)).status for _ in range(times)]

    return asyncio.run(run())


@pytest.mark.parametrize("hot_path", [True, False])
@pytest.mark.parametrize(
    ("method", "path", "limit", "success"),
    [
        ("POST", "/add", 3, 200),
        ("POST", "/take", 5, 200),
        ("GET", "/read", 5, 200),
        ("GET", "/elsewhere", 2, 299),
        ("HEAD", "/read", 2, 299),
    ],
)
def test_a_route_keeps_its_policy_with_and_without_hot_path(
    method: str, path: str, limit: int, success: int, hot_path: bool
) -> None:
    success = success if hot_path else 299
    assert statuses(method, path, limit + 3, hot_path=hot_path)[: limit + 1] == [success] * limit + [429]


def test_routes_without_a_policy_of_their_own_share_one() -> None:
    client = somebody()
    assert statuses("POST", "/take", 5, client=client) == [200] * 5
    assert statuses("GET", "/read", 1, client=client) == [429]
    assert statuses("POST", "/add", 1, client=client) == [200]
    assert statuses("POST", "/take", 1) == [200]


@pytest.mark.parametrize(("path", "limit"), [("/partners/orders", 4), ("/partners", 2)])
def test_path_may_have_a_policy_of_its_own_counted_apart_from_all_else(path: str, limit: int) -> None:
    client = somebody()
    assert statuses("POST", path, limit + 1, client=client) == [299] * limit + [429]
    if path == "/partners/orders":
        assert statuses("POST", "/elsewhere", 1, client=client) == [299]


@pytest.mark.parametrize("path", ["/health/live", "/metrics"])
def test_watching_is_never_limited(path: str) -> None:
    assert statuses("GET", path, 8) == [200] * 8


@pytest.mark.parametrize(("method", "path", "limit"), [("POST", "/add", 3), ("POST", "/elsewhere", 2)])
def test_refusal_says_what_the_limit_is_and_reads_no_body(method: str, path: str, limit: int) -> None:
    async def run() -> list[Answer]:
        gateway, client = Gateway(django, ENDPOINTS), somebody()
        return [await ask(gateway, method, path, client) for _ in range(limit + 2)]

    answers = asyncio.run(run())
    policy = b"add" if path == "/add" else b"django"
    refused = answers[-1]
    assert refused.headers[b"content-type"] == b"application/problem+json"
    assert json.loads(refused.body)["code"] == "rate-limited"
    assert refused.headers[b"retry-after"] == b"1"
    assert refused.headers[b"ratelimit-policy"] == b'"%b";q=%d;w=1' % (policy, limit)
    assert refused.headers[b"ratelimit"] == b'"%b";r=0;t=1' % policy
    assert refused.pieces_read == 0
    assert not {b"ratelimit", b"ratelimit-policy", b"retry-after"} & answers[0].headers.keys()


def test_concurrent_requests_are_counted_in_their_batch() -> None:
    entered, is_open, calls = threading.Event(), threading.Event(), []

    def run(items: list[Any]) -> list[Any]:
        calls.append(len(items))
        entered.set()
        assert is_open.wait(5)
        return items

    async def scenario() -> list[int]:
        gateway, client = Gateway(django, [hot("add", run=run)]), somebody()
        first = asyncio.create_task(ask(gateway, "POST", "/add", somebody()))
        await asyncio.to_thread(entered.wait, 5)
        others = [asyncio.create_task(ask(gateway, "POST", "/add", client)) for _ in range(6)]
        while len(gateway._hot._first["add"]._queue) < 6:
            await asyncio.sleep(0)
        is_open.set()
        return [answer.status for answer in await asyncio.gather(first, *others)]

    assert asyncio.run(scenario()) == [200] * 4 + [429] * 3
    assert calls == [1, 3]


def test_shadow_refuses_nothing_and_counts(settings: Settings) -> None:
    settings.RATE_LIMIT = "shadow"
    before = limited("add", "shadow"), limited("django", "shadow")

    async def run() -> list[int]:
        gateway, client = Gateway(django, ENDPOINTS), somebody()
        answers = [await ask(gateway, "POST", path, client) for path in ["/add"] * 5 + ["/elsewhere"] * 3]
        gateway.tally.flush()
        return [answer.status for answer in answers]

    assert asyncio.run(run()) == [200] * 5 + [299] * 3
    assert (limited("add", "shadow") - before[0], limited("django", "shadow") - before[1]) == (2, 1)


def test_refusals_are_counted_with_and_without_a_call(caplog: pytest.LogCaptureFixture) -> None:
    before = limited("add", "refused")

    async def run() -> None:
        gateway, client = Gateway(django, ENDPOINTS), somebody()
        for _ in range(6):
            await ask(gateway, "POST", "/add", client)
        gateway.tally.flush()

    asyncio.run(run())
    assert limited("add", "refused") - before == 3
    assert [record.message for record in caplog.records].count("rate_limited") == 1


def limited(route: str, mode: str) -> float:
    return REGISTRY.get_sample_value("floodgate_rate_limited_total", {"route": route, "mode": mode}) or 0.0


def test_off_refuses_nothing(settings: Settings) -> None:
    settings.RATE_LIMIT = "off"
    assert statuses("POST", "/add", 8) == [200] * 8
    assert statuses("POST", "/elsewhere", 8) == [299] * 8


@pytest.mark.parametrize(
    ("method", "path", "hot_path", "expected"),
    [
        ("GET", "/read", True, [200] * 8),
        ("GET", "/read", False, [299] * 8),
        ("POST", "/take", True, [200] * 2 + [429]),
        ("POST", "/take", False, [299] * 2 + [429]),
        ("GET", "/elsewhere", True, [299, 429]),
    ],
)
def test_without_the_cache_store_each_route_does_what_its_page_says(
    method: str,
    path: str,
    hot_path: bool,
    expected: list[int],
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> None:
    circuit = Circuit("away", lambda: None)
    circuit.is_open = True
    monkeypatch.setattr(limiter_module, "LIMITS", circuit)
    settings.WEB_WORKERS = 2
    assert statuses(method, path, len(expected), hot_path=hot_path) == expected


def test_stuck_batches_of_hot_endpoints_do_not_hold_up_the_rest() -> None:
    entered, is_open = threading.Event(), threading.Event()

    def stuck(items: list[Any]) -> list[Any]:
        entered.set()
        assert is_open.wait(5)
        return items

    async def scenario() -> int:
        gateway = Gateway(django, [hot("add", run=stuck)])
        waiting = asyncio.create_task(ask(gateway, "POST", "/add", somebody()))
        await asyncio.to_thread(entered.wait, 5)
        try:
            return (await asyncio.wait_for(ask(gateway, "GET", "/elsewhere", somebody()), 1)).status
        finally:
            is_open.set()
            await waiting

    assert asyncio.run(scenario()) == 299


def test_a_policy_for_a_route_that_does_not_exist_stops_the_start(settings: Settings) -> None:
    settings.RATE_LIMIT_POLICIES = {"hot": 5, "django": 2, "orders": 4, "ad": 3}
    known = "add django hot orders read take"
    with pytest.raises(ImproperlyConfigured, match=f"RATE_LIMIT_POLICIES names ad; there are {known}"):
        Gateway(django, ENDPOINTS)
