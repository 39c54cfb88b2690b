"""Counters while a part of the stack stands still: what must go on does, what cannot is refused in time."""

import time
import uuid
from collections.abc import Callable
from typing import cast

import httpx
import psycopg
import pytest
from redis import Redis

from config.env import embedded_urls
from tests.acceptance.harness import Stack, paused, wait_until

KEY = str(uuid.uuid4())


def increment(stack: Stack, key: str = KEY, value: int = 1) -> httpx.Response:
    return httpx.post(f"{stack.url}/increment", json={"key": key, "value": value}, timeout=10)


def persisted(stack: Stack, key: str) -> int:
    with psycopg.connect(stack.database_url) as connection:
        row = connection.execute("SELECT value FROM counters_counter WHERE key = %s", [key]).fetchone()
    return int(row[0]) if row else 0


def test_an_increment_is_in_the_database_within_ten_seconds(stack: Stack) -> None:
    key = str(uuid.uuid4())
    assert increment(stack, key, 7).status_code == 200
    assert httpx.get(f"{stack.url}/counters/{key}").json()["value"] == 7
    wait_until(lambda: persisted(stack, key) == 7, "flush", 10)


@pytest.mark.parametrize("part", ["beat", "cache"])
def test_flushes_go_on_without_wakeups(stack: Stack, part: str) -> None:
    key = str(uuid.uuid4())
    with paused(stack.pids(part)):
        assert increment(stack, key, 7).status_code == 200
        wait_until(lambda: persisted(stack, key) == 7, f"flush without {part}", 10)


def be_replica(cache: "Redis") -> None:
    cache.replicaof("127.0.0.1", "1")
    time.sleep(1)  # the fault itself
    cache.replicaof("NO", "ONE")


def lose_queue(cache: "Redis") -> None:
    """A queue that is no list any more; for a second, in which workers ask for it."""
    cache.set("flush", "no list")
    time.sleep(1)
    cache.delete("flush")


def lose_connections(cache: "Redis") -> None:
    cache.client_kill_filter(_type="normal", skipme=True)


def be_full(cache: "Redis") -> None:
    before = cast(dict[str, str], cache.config_get("maxmemory", "maxmemory-policy"))
    cache.config_set("maxmemory-policy", "noeviction")
    cache.config_set("maxmemory", 1)
    time.sleep(1)
    for name, value in before.items():
        cache.config_set(name, value)


WORKERS = ("worker-imports", "worker-flush", "worker-batches", "worker-events", "beat")


@pytest.mark.parametrize("lose", [be_replica, lose_queue, lose_connections, be_full])
def test_no_worker_ends_with_the_broker_in_whatever_form_it_is_lost(
    stack: Stack, lose: Callable[["Redis"], None]
) -> None:
    key, before = str(uuid.uuid4()), [stack.pids(part)[0] for part in WORKERS]
    with Redis.from_url(embedded_urls(stack.data_dir)["VALKEY_CACHE_URL"]) as cache:
        lose(cache)
    assert increment(stack, key, 7).status_code == 200
    wait_until(lambda: persisted(stack, key) == 7, "flush", 10)
    assert [stack.pids(part)[0] for part in WORKERS] == before
    with Redis.from_url(embedded_urls(stack.data_dir)["VALKEY_CACHE_URL"]) as cache:
        wait_until(lambda: waiting_workers(cache) == len(WORKERS) - 1, "workers that wait for wake-ups again", 40)


def waiting_workers(cache: "Redis") -> int:
    return sum("b" in client["flags"] for client in cache.client_list())


def test_increments_are_taken_without_postgresql_up_to_the_backlog(stack: Stack) -> None:
    keys = [str(uuid.uuid4()) for _ in range(50)]
    with paused(stack.pids("postgres")):
        assert {increment(stack, key).status_code for key in keys} == {200}
        refused = increment(stack)
        assert (refused.status_code, refused.json()["code"]) == (503, "backlog-full")
        started = time.monotonic()
        assert httpx.get(f"{stack.url}/counters/{keys[0]}", timeout=10).status_code == 503
        assert time.monotonic() - started < 2
    wait_until(lambda: all(persisted(stack, key) == 1 for key in keys), "flush of the backlog", 30)
    wait_until(lambda: increment(stack).status_code == 200, "room in the buffer", 30)


def test_without_the_truth_store_increments_are_refused_in_time_and_come_back(stack: Stack) -> None:
    key = str(uuid.uuid4())
    assert increment(stack, key, 3).status_code == 200
    with paused(stack.pids("truth")):
        started = time.monotonic()
        refused = increment(stack, key)
        assert time.monotonic() - started < 2
        assert (refused.status_code, refused.json()["code"]) == (503, "store-unavailable")
        assert "retry-after" in refused.headers
    wait_until(lambda: httpx.get(f"{stack.url}/counters/{key}").status_code == 200, "answer of the truth store", 30)
    assert httpx.get(f"{stack.url}/counters/{key}").json()["value"] in (3, 4)  # the refused one may have arrived
