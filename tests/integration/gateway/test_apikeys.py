"""API keys over a real PostgreSQL: what the gateway takes, and what it does without the database."""

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections
from django.db.models import QuerySet
from pytest_django import Settings

from common.errors import StoreUnavailable
from gateway import apikeys, clients
from gateway.apikeys import Keys, create_api_key, revoke_api_keys
from gateway.app import Gateway
from gateway.errors import ApiKeyExists, Unauthorized
from gateway.models import ApiKey

CORRELATION_ID = "11111111-2222-4333-8444-555555555555"
pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    """Stands in for ``monotonic`` in keys."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(apikeys, "monotonic", clock)
    return clock


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    keys = Keys()
    monkeypatch.setattr(clients, "KEYS", keys)
    yield keys
    keys._thread.shutdown()


@pytest.fixture
def reads(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When keys were read from PostgreSQL."""
    found: list[float] = []
    read = Keys._read_all

    def counted(keys: Keys) -> None:
        found.append(clock())
        read(keys)

    monkeypatch.setattr(Keys, "_read_all", counted)
    return found


def ask(keys: Keys, key: str) -> str:
    return asyncio.run(keys.account_of(f"Bearer {key}".encode()))


def settle(keys: Keys) -> None:
    """Wait for a reading in the background."""
    keys._thread.submit(lambda: None).result(10)


def break_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("the connection is refused")

    monkeypatch.setattr(QuerySet, "values_list", fail)


def test_key_is_known_by_its_account_at_once(keys: Keys) -> None:
    first = create_api_key("shop")
    assert ask(keys, first) == "shop"
    assert len(first) == 35
    assert first.startswith("fg_")
    second = create_api_key("warehouse")
    keys._asked_at -= 2
    assert ask(keys, second) == "warehouse"


def test_only_a_digest_is_stored(keys: Keys) -> None:
    key = create_api_key("shop")
    stored = ApiKey.objects.get()
    assert stored.prefix == key[:7]
    assert key.encode() not in bytes(stored.digest)
    assert len(bytes(stored.digest)) == 32


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer fg_wrong", "Basic Zm9v", "fg_wrong", "Bearer \xff"]
)
def test_wrong_key_is_refused(keys: Keys, header: str) -> None:
    create_api_key("shop")
    with pytest.raises(Unauthorized):
        asyncio.run(keys.account_of(header.encode("latin-1")))


def test_name_of_the_scheme_has_no_case(keys: Keys) -> None:
    key = create_api_key("shop")
    assert asyncio.run(keys.account_of(f"bEARER {key}".encode())) == "shop"


def test_revoked_key_is_refused_within_five_seconds(keys: Keys, clock: Clock) -> None:
    key = create_api_key("shop")
    assert ask(keys, key) == "shop"
    assert revoke_api_keys(["shop"]) == 1
    clock.now += 4.1
    with pytest.raises(Unauthorized):
        ask(keys, key)


def test_keys_in_use_are_read_again_behind_the_requests(keys: Keys, clock: Clock, reads: list[float]) -> None:
    key = create_api_key("shop")
    for _ in range(6):
        assert ask(keys, key) == "shop"
        settle(keys)
        clock.now += 0.9
    assert reads == pytest.approx([1000.0, 1002.7])


def test_unknown_keys_cost_one_read_a_second(keys: Keys, clock: Clock, reads: list[float]) -> None:
    for seconds in (0.0, 0.5, 0.6, 0.1):
        clock.now += seconds
        for number in range(3):
            with pytest.raises(Unauthorized):
                ask(keys, f"fg_wrong{number}")
    assert reads == pytest.approx([1000.0, 1001.1])


def test_known_keys_stay_valid_without_the_database(
    keys: Keys, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = create_api_key("shop")
    assert ask(keys, key) == "shop"
    with monkeypatch.context() as broken:
        break_database(broken)
        for _ in range(3):
            clock.now += 1_000
            assert ask(keys, key) == "shop"
            with pytest.raises(StoreUnavailable):
                ask(keys, "fg_wrong")
            settle(keys)
    clock.now += 1_000
    revoke_api_keys(["shop"])
    with suppress(Unauthorized):  # nobody waits for a database that did not answer the last time
        ask(keys, key)
    settle(keys)
    with pytest.raises(Unauthorized):
        ask(keys, key)


def test_process_that_never_saw_keys_cannot_tell(keys: Keys, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    key = create_api_key("shop")
    with monkeypatch.context() as broken:
        break_database(broken)
        with pytest.raises(StoreUnavailable):
            ask(keys, key)
        settle(keys)
    clock.now += 1.1
    with suppress(StoreUnavailable):
        ask(keys, key)
    settle(keys)
    assert ask(keys, key) == "shop"


def test_database_that_hangs_is_not_waited_for(keys: Keys, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    key = create_api_key("shop")
    assert ask(keys, key) == "shop"
    monkeypatch.setattr(apikeys, "WAIT_SECONDS", 0.01)
    release = threading.Event()
    monkeypatch.setattr(Keys, "_read_all", lambda keys: release.wait(30) and None)
    clock.now += 10
    assert ask(keys, key) == "shop"  # waits, once
    monkeypatch.setattr(apikeys, "WAIT_SECONDS", 60.0)
    started = monotonic()
    for _ in range(3):
        clock.now += 10
        assert ask(keys, key) == "shop"
    assert monotonic() - started < 30
    release.set()


def test_reading_that_ends_during_a_look_up_makes_no_key_wrong(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up misses, then a thread brings the keys: that is unknown, not wrong."""
    key = create_api_key("shop")
    keys._has_failed, keys._asked_at = True, monotonic()

    def bring_keys_late(_: bytes) -> None:
        keys._has_failed = False

    monkeypatch.setattr(keys, "_find", bring_keys_late)
    with pytest.raises(StoreUnavailable):
        asyncio.run(keys._find_fresh(key.encode()))


def test_crowd_of_requests_reads_once(keys: Keys, reads: list[float]) -> None:
    key = create_api_key("shop")

    async def ask_all() -> list[str]:
        return await asyncio.gather(*(keys.account_of(f"Bearer {key}".encode()) for _ in range(200)))

    assert set(asyncio.run(ask_all())) == {"shop"}
    assert len(reads) == 1


# Through the gateway


async def _django(scope: Any, receive: Any, send: Any) -> None:
    accounts = [value.decode() for name, value in scope["headers"] if name == b"x-floodgate-account"]
    body = json.dumps([*accounts, scope["client"][0]]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def call(path: str, *headers: tuple[bytes, bytes]) -> tuple[int, dict[bytes, bytes], Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def run() -> None:
        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "client": ("203.0.113.9", 1)}
        gateway = Gateway(_django, [])
        await gateway({**scope, "headers": list(headers)}, receive, send)

    asyncio.run(run())
    return sent[0]["status"], dict(sent[0]["headers"]), json.loads(sent[1]["body"])


def bearer(key: str) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {key}".encode()


def test_account_reaches_django_and_cannot_be_claimed(keys: Keys) -> None:
    key = create_api_key("shop")
    claimed = (b"x-floodgate-account", b"warehouse")
    assert call("/imports", bearer(key), claimed)[2] == ["shop", "203.0.113.9"]
    assert call("/imports", claimed)[2] == ["", "203.0.113.9"]


@pytest.mark.parametrize("required", [False, True])
def test_wrong_key_is_a_problem_everywhere(keys: Keys, settings: Settings, required: bool) -> None:
    settings.API_KEYS_REQUIRED = required
    for path in ("/imports", "/", "/admin/"):
        status, headers, problem = call(path, bearer("fg_wrong"), (b"x-correlation-id", CORRELATION_ID.encode()))
        assert (status, problem["code"], headers[b"www-authenticate"]) == (401, "unauthorized", b"Bearer")
        assert headers[b"content-type"] == b"application/problem+json"
        assert problem["correlation_id"] == CORRELATION_ID


def test_health_and_metrics_need_no_key(keys: Keys, settings: Settings) -> None:
    settings.API_KEYS_REQUIRED = True
    assert call("/health/live")[0] == 200
    assert call("/imports")[0] == 401


# The command


def command(*arguments: str) -> str:
    output = io.StringIO()
    call_command("create_api_key", *arguments, stdout=output, stderr=io.StringIO())
    return output.getvalue().strip()


def test_command_shows_the_key_alone_and_revokes_it(keys: Keys) -> None:
    assert ask(keys, command("shop")) == "shop"
    assert "revoked" in command("shop", "--revoke")
    with pytest.raises(CommandError, match="no active key"):
        command("shop", "--revoke")


def test_name_is_given_once(keys: Keys) -> None:
    command("shop")
    command("shop", "--revoke")
    with pytest.raises(CommandError, match="choose another"):
        command("shop")


@pytest.mark.parametrize("name", ["", "10.0.0.1", "fd00::1", "a b", "ä", "a\n", "x" * 65])
def test_name_looks_like_no_address(name: str) -> None:
    with pytest.raises(CommandError, match="This is no name"):
        command(name)
    assert not ApiKey.objects.exists()


def test_two_at_once_make_one_key() -> None:
    def make(_: int) -> bool:
        try:
            return bool(create_api_key("shop"))
        except ApiKeyExists:
            return False
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(make, range(4))) == [False, False, False, True]
