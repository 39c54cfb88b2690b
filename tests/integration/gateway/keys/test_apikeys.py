"""API keys over a real PostgreSQL: what the gateway takes, and what it does without the database."""

import asyncio
import io
import json
import re
import threading
import time as time_module
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from common.errors import StoreUnavailable
from gateway.errors import KeyRefused, TooManyKeys, Unauthorized
from gateway.keys import apikeys, clients
from gateway.keys.apikeys import Grant, Keys, create_api_key, revoke_api_keys
from gateway.keys.scopes import ALL_SCOPES, KeyScope
from gateway.models import ApiKey
from gateway.server.app import Gateway

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


def make(account: str, scopes: Collection[KeyScope] = tuple(KeyScope), expires_at: datetime | None = None) -> str:
    return create_api_key(account, scopes, expires_at).key


def revoke(account: str) -> int:
    return revoke_api_keys(ApiKey.objects.filter(name=account).values_list("pk", flat=True))


def revoke_and_close(account: str) -> None:
    revoke(account)
    connections.close_all()


def ask(keys: Keys, key: str) -> str:
    return asyncio.run(keys.grant_of(f"Bearer {key}".encode())).account


def await_reading(keys: Keys) -> None:
    """Wait for a reading in the background."""
    keys._thread.submit(lambda: None).result(10)


def break_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("the connection is refused")

    monkeypatch.setattr(QuerySet, "values_list", fail)


def test_key_is_known_by_its_account_at_once(keys: Keys) -> None:
    first = make("shop")
    assert ask(keys, first) == "shop"
    assert len(first) == 35
    assert first.startswith("fg_")
    second = make("warehouse")
    keys._asked_at -= 2
    assert ask(keys, second) == "warehouse"


def test_key_that_was_revoked_while_nobody_asked_is_not_let_in_by_a_late_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A thread reads keys all the time, so a process knows of it before the first request after a pause."""
    monkeypatch.setattr(apikeys, "REFRESH_SECONDS", 0.02)
    monkeypatch.setattr(apikeys, "RETRY_SECONDS", 0.0)
    keys, key = Keys(), make("shop")

    async def scenario() -> None:
        refreshing = asyncio.create_task(keys.refresh())
        assert (await keys.grant_of(f"Bearer {key}".encode())).account == "shop"
        await asyncio.to_thread(revoke_and_close, "shop")
        reads = keys._read_at
        while keys._read_at < reads + 0.05:
            await asyncio.sleep(0.01)
        refreshing.cancel()

    asyncio.run(scenario())
    await_reading(keys)
    break_database(monkeypatch)
    with pytest.raises(StoreUnavailable):
        ask(keys, key)
    keys._thread.shutdown()


def test_key_may_stand_between_blanks(keys: Keys) -> None:
    assert ask(keys, f"  {make('shop')} ") == "shop"


def test_key_that_is_revoked_keeps_the_time_of_that_when_another_one_is_made() -> None:
    make("shop", expires_at=timezone.now() + timedelta(seconds=0.05))
    revoke("shop")
    revoked_at = ApiKey.objects.get().revoked_at
    time_module.sleep(0.1)
    make("shop")
    assert ApiKey.objects.order_by("id").first().revoked_at == revoked_at  # type: ignore[union-attr]


def test_key_is_revoked_by_as_much_of_it_as_is_known() -> None:
    first, second = make("shop"), make("shop")
    call_command("revoke_api_key", "shop", first)
    assert [key.prefix for key in ApiKey.objects.filter(revoked_at=None)] == [second[:7]]


def test_only_a_digest_is_stored(keys: Keys) -> None:
    key = make("shop")
    stored = ApiKey.objects.get()
    assert stored.prefix == key[:7]
    assert key.encode() not in bytes(stored.digest)
    assert len(bytes(stored.digest)) == 32


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer fg_wrong", "Basic Zm9v", "fg_wrong", "Bearer \xff"]
)
def test_wrong_key_is_refused(keys: Keys, header: str) -> None:
    make("shop")
    with pytest.raises(Unauthorized):
        asyncio.run(keys.grant_of(header.encode("latin-1")))


def test_name_of_the_scheme_has_no_case(keys: Keys) -> None:
    key = make("shop")
    assert asyncio.run(keys.grant_of(f"bEARER {key}".encode())).account == "shop"


def test_revoked_key_is_refused_within_five_seconds(keys: Keys, clock: Clock) -> None:
    key = make("shop")
    assert ask(keys, key) == "shop"
    assert revoke("shop") == 1
    clock.now += 4.1
    with pytest.raises(Unauthorized):
        ask(keys, key)


def test_keys_in_use_are_read_again_behind_the_requests(keys: Keys, clock: Clock, reads: list[float]) -> None:
    key = make("shop")
    for _ in range(6):
        assert ask(keys, key) == "shop"
        await_reading(keys)
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
    key = make("shop")
    assert ask(keys, key) == "shop"
    with monkeypatch.context() as broken:
        break_database(broken)
        for _ in range(3):
            clock.now += 1_000
            assert ask(keys, key) == "shop"
            with pytest.raises(StoreUnavailable):
                ask(keys, "fg_wrong")
            await_reading(keys)
    clock.now += 1_000
    revoke("shop")
    with suppress(Unauthorized):  # nobody waits for a database that did not answer the last time
        ask(keys, key)
    await_reading(keys)
    with pytest.raises(Unauthorized):
        ask(keys, key)


def test_process_that_never_saw_keys_cannot_tell(keys: Keys, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make("shop")
    with monkeypatch.context() as broken:
        break_database(broken)
        with pytest.raises(StoreUnavailable):
            ask(keys, key)
        await_reading(keys)
    clock.now += 1.1
    with suppress(StoreUnavailable):
        ask(keys, key)
    await_reading(keys)
    assert ask(keys, key) == "shop"


def test_database_that_hangs_is_not_waited_for(keys: Keys, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make("shop")
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
    key = make("shop")
    keys._has_failed, keys._asked_at = True, monotonic()

    def bring_keys_late(_: bytes) -> None:
        keys._has_failed = False

    monkeypatch.setattr(keys, "_find", bring_keys_late)
    with pytest.raises(StoreUnavailable):
        asyncio.run(keys._find_fresh(key.encode()))


def test_crowd_of_requests_reads_once(keys: Keys, reads: list[float]) -> None:
    key = make("shop")

    async def ask_all() -> list[Grant]:
        return await asyncio.gather(*(keys.grant_of(f"Bearer {key}".encode()) for _ in range(200)))

    assert {given.account for given in asyncio.run(ask_all())} == {"shop"}
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
    key = make("shop")
    claimed = (b"x-floodgate-account", b"warehouse")
    assert call("/imports", bearer(key), claimed)[2] == ["shop", "203.0.113.9"]
    assert call("/imports", claimed)[2] == ["", "203.0.113.9"]


@pytest.mark.parametrize("required", [False, True])
def test_wrong_key_is_a_problem_everywhere(keys: Keys, settings: Settings, required: bool) -> None:
    settings.API_KEYS_REQUIRED = required
    for path in ("/imports", "/", "/admin/"):
        status, headers, problem = call(path, bearer("fg_wrong"), (b"x-correlation-id", CORRELATION_ID.encode()))
        assert (status, problem["code"]) == (401, "unauthorized")
        assert headers[b"www-authenticate"].startswith(b'Bearer realm="floodgate", error="invalid_token"')
        assert headers[b"content-type"] == b"application/problem+json"
        assert problem["correlation_id"] == CORRELATION_ID


def test_health_and_metrics_need_no_key(keys: Keys, settings: Settings) -> None:
    settings.API_KEYS_REQUIRED = True
    assert call("/health/live")[0] == 200
    assert call("/imports")[0] == 401


# Scopes, ends and uses


def grant(keys: Keys, key: str) -> Grant:
    return asyncio.run(keys.grant_of(f"Bearer {key}".encode()))


def test_key_has_the_scopes_that_it_was_given_and_no_others(keys: Keys) -> None:
    key = make("shop", [KeyScope.OPERATE, KeyScope.READ])
    assert grant(keys, key).scopes == {"read", "operate"}
    assert ApiKey.objects.get().scopes == ["read", "operate"]


def test_expired_key_is_refused_at_once_and_reads_nothing(
    keys: Keys, reads: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = timezone.now() + timedelta(minutes=1)
    key = make("shop", expires_at=soon)
    assert ask(keys, key) == "shop"
    monkeypatch.setattr(apikeys, "time", lambda: soon.timestamp())
    for _ in range(3):
        with pytest.raises(KeyRefused):
            ask(keys, key)
    assert len(reads) == 1


def test_account_has_two_keys_at_most_and_one_that_is_revoked_or_expired_makes_room(keys: Keys) -> None:
    first, second = make("shop"), make("shop")
    assert {ask(keys, first), ask(keys, second)} == {"shop"}
    with pytest.raises(TooManyKeys):
        make("shop")
    revoke_api_keys([ApiKey.objects.get(prefix=first[:7]).pk])
    make("shop", expires_at=timezone.now() + timedelta(days=1))
    with pytest.raises(TooManyKeys):
        make("shop")
    ApiKey.objects.exclude(expires_at=None).update(expires_at=timezone.now() - timedelta(seconds=1))
    make("shop")
    assert ApiKey.objects.filter(revoked_at=None).count() == 2
    assert make("warehouse")


def test_many_at_once_make_two_keys() -> None:
    def made(_: int) -> bool:
        try:
            return bool(make("shop"))
        except TooManyKeys:
            return False
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(made, range(4))) == [False, False, True, True]


def used_at() -> datetime | None:
    return ApiKey.objects.get().last_used_at


def test_last_use_is_noted_behind_the_request_and_once_a_minute(keys: Keys, clock: Clock) -> None:
    key = make("shop")
    assert used_at() is None
    ask(keys, key)
    await_reading(keys)
    assert used_at() is not None
    an_hour_ago = timezone.now() - timedelta(hours=1)
    ApiKey.objects.update(last_used_at=an_hour_ago)
    clock.now += 59
    ask(keys, key)
    await_reading(keys)
    assert used_at() == an_hour_ago
    clock.now += 2
    ask(keys, key)
    await_reading(keys)
    noted = used_at()
    assert noted is not None
    assert noted > an_hour_ago
    another = Keys()  # another process, in the same minute
    another._to_note.append(ApiKey.objects.get().pk)
    another._write_uses()
    assert used_at() == noted


def test_uses_of_many_keys_are_one_statement(keys: Keys) -> None:
    for number in range(5):
        make(f"shop{number}")
    keys._to_note.extend(ApiKey.objects.values_list("pk", flat=True))
    with CaptureQueriesContext(connection) as asked:
        keys._write_uses()
    assert sum("UPDATE" in query["sql"] and "SET" in query["sql"] for query in asked.captured_queries) == 1
    assert not ApiKey.objects.filter(last_used_at=None).exists()


def test_use_that_cannot_be_noted_fails_no_request(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make("shop")

    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("the connection is refused")

    monkeypatch.setattr(QuerySet, "update", fail)
    assert ask(keys, key) == "shop"
    await_reading(keys)
    assert used_at() is None


def test_noting_waits_for_no_lock_on_a_key(keys: Keys) -> None:
    key = make("shop")
    with transaction.atomic():
        ApiKey.objects.select_for_update().get()
        started = monotonic()
        assert ask(keys, key) == "shop"
        await_reading(keys)
    assert monotonic() - started < 4


# The release before, beside this one's schema


def test_keys_of_the_release_before_keep_all_rights_and_its_new_ones_have_none(keys: Keys) -> None:
    executor = MigrationExecutor(connection)
    try:
        executor.migrate([("gateway", "0002_write_proof")])
        with connection.cursor() as cursor:
            cursor.execute(OLD_INSERT, ["shop", sha256(b"fg_old").digest()])
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
        assert grant(keys, "fg_old").scopes == ALL_SCOPES
        with connection.cursor() as cursor:
            cursor.execute(OLD_INSERT, ["kiosk", sha256(b"fg_older").digest()])
            with pytest.raises(IntegrityError), transaction.atomic():
                cursor.execute(OLD_INSERT, ["shop", sha256(b"fg_second").digest()])
        keys._asked_at -= 2
        assert grant(keys, "fg_older").scopes == frozenset()
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())


OLD_INSERT = "INSERT INTO gateway_apikey (name, digest, prefix, created_at) VALUES (%s, %s, 'fg_', now())"


# The commands


def command(name: str, *arguments: str) -> str:
    output = io.StringIO()
    call_command(f"{name}_api_key", *arguments, stdout=output, stderr=io.StringIO())
    return output.getvalue().strip()


def create(*arguments: str, scopes: Sequence[str] = ("read",)) -> str:
    return command("create", *arguments, "--scopes", *scopes)


def listed() -> list[list[str]]:
    output = io.StringIO()
    call_command("list_api_keys", stdout=output)
    return [re.split(r"  +", line) for line in output.getvalue().splitlines()]


def test_commands_make_list_and_revoke_keys(keys: Keys) -> None:
    first = create("shop", scopes=["read", "vouchers:redeem"])
    assert grant(keys, first).scopes == {"read", "vouchers:redeem"}
    second = create("shop", "--expires", "2999-01-31T00:00:00+01:00")
    header, *rows = listed()
    assert header == ["account", "key", "state", "created", "expires", "last used", "scopes"]
    assert [row[:3] for row in rows] == [["shop", first[:7], "active"], ["shop", second[:7], "active"]]
    assert (rows[1][4], rows[1][6], rows[0][6]) == ("2999-01-30T23:00Z", "read", "read vouchers:redeem")
    assert not any(first in column or second in column for row in rows for column in row)

    assert "1 key of shop" in command("revoke", "shop", first[:7])
    assert [row[2] for row in listed()[1:]] == ["revoked", "active"]
    create("shop")
    assert "2 keys of shop" in command("revoke", "shop")
    with pytest.raises(CommandError, match="no active key"):
        command("revoke", "shop")


@pytest.mark.parametrize("name", ["", "10.0.0.1", "fd00::1", "a b", "ä", "a\n", "x" * 65])
def test_name_looks_like_no_address(name: str) -> None:
    with pytest.raises(CommandError, match="This is no name"):
        create(name)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["shop"], "--scopes"),
        (["shop", "--scopes", "everything"], "invalid choice: 'everything' .choose from .*vouchers:redeem"),
        (["shop", "--scopes", "read", "--expires", "2020-01-01"], "is past"),
        (["shop", "--scopes", "read", "--expires", "soon"], "must be a day"),
        (["shop", "--scopes", "read", "--expires", "2999-02-30"], "must be a day"),
    ],
)
def test_what_a_key_is_not_made_of_is_told(arguments: list[str], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        command("create", *arguments)
    assert not ApiKey.objects.exists()


def test_third_key_is_refused_in_words() -> None:
    create("shop")
    create("shop")
    with pytest.raises(CommandError, match="revoke one of them first"):
        create("shop")
