"""Limits counted in a real Valkey."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import cast
from uuid import uuid4

import pytest
from django.db import DatabaseError
from redis import Redis
from redis.exceptions import RedisError

from common.errors import RateLimited
from common.stores import valkey
from common.stores.circuits import Circuit
from gateway.ratelimits import limiter as limiter_module
from gateway.ratelimits import shared
from gateway.ratelimits.limiter import Limiter
from gateway.ratelimits.policies import LimitedRoute, Policy
from gateway.ratelimits.shared import count_shared
from gateway.ratelimits.verdicts import Asked
from tests.garbage import GARBAGE, put_garbage

needs_database = pytest.mark.django_db  # a batch looks after the connections that its thread has
EPOCH = 1_767_225_600  # as in gcra.lua


def route(per_second: int, name: str = "example", *, reads: bool = False) -> LimitedRoute:
    return LimitedRoute(name, Policy(name, per_second), is_open_without_store=reads)


def somebody() -> str:
    return uuid4().hex


def stored_key(asked: Asked) -> str:
    return valkey.key("limit", asked[0].policy.name, asked[1])


def store_micros() -> int:
    seconds, micros = valkey.cache_store().time()
    return (seconds - EPOCH) * 1_000_000 + micros


def ask_for(seconds: float, per_second: int, client: str) -> int:
    """How many are admitted to four threads that ask without a pause."""
    mine, until = route(per_second), time.monotonic() + seconds

    def ask(quantity: int) -> int:
        admitted = 0
        while time.monotonic() < until:
            admitted += count_shared({(mine, client): quantity})[0].admitted
        return admitted

    with ThreadPoolExecutor(4) as threads:
        return sum(threads.map(ask, [1, 7, 200, 400]))


def test_processes_and_threads_together_get_the_limit_and_no_more() -> None:
    per_second, client = 300, somebody()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        list(processes.map(ask_for, [0.0, 0.0], [1, 1], [client, client]))  # they have started and are connected
        before = store_micros()
        admitted = sum(processes.map(ask_for, [0.5, 0.5], [per_second] * 2, [client, client]))
        seconds = (store_micros() - before) / 1e6
    assert per_second <= admitted <= per_second * (1 + seconds)


def test_a_batch_is_the_same_as_one_by_one() -> None:
    """Routes that share a policy share the count, and time stands still within a call."""
    folded, client = somebody(), somebody()
    singles = [LimitedRoute(str(n), Policy("example", 5), is_open_without_store=False) for n in range(9)]
    wanted: dict[Asked, int] = {(route(5), folded): 9, **{(single, client): 1 for single in singles}}
    together, *one_by_one = count_shared(wanted)
    assert [verdict.admitted for verdict in one_by_one] == [1] * 5 + [0] * 4
    assert (together.admitted, together.wait_seconds) == (5, one_by_one[-1].wait_seconds)


def test_clients_do_not_share() -> None:
    asked = (route(5), somebody()), (route(5), somebody())
    assert [count_shared({one: 9})[0].admitted for one in asked] == [5, 5]


def test_after_the_wait_one_more_is_admitted() -> None:
    asked = (route(50), somebody())
    first = count_shared({asked: 51})[0]
    assert (first.admitted, 0 < first.wait_seconds <= 0.02) == (50, True)
    time.sleep(first.wait_seconds)
    assert count_shared({asked: 1})[0].admitted == 1


def test_steady_pace_at_the_limit_is_never_refused() -> None:
    asked = (route(50), somebody())
    time.sleep(count_shared({asked: 51})[0].wait_seconds)
    for _ in range(15):
        assert count_shared({asked: 1})[0].admitted == 1
        time.sleep(1 / 50)


@pytest.mark.parametrize("per_second", [1, 3, 700, 999_983, 10_000_000])
def test_burst_is_one_second_at_any_rate(per_second: int) -> None:
    asked = (route(per_second), somebody())
    assert count_shared({asked: 3 * per_second})[0].admitted == per_second


def test_the_clock_is_the_stores() -> None:
    asked = (route(50), somebody())
    before = store_micros()
    count_shared({asked: 25})
    paid_at = float(cast(bytes, valkey.cache_store().get(stored_key(asked))))
    assert before <= paid_at - 25 * 20_000 <= store_micros()


def test_a_client_that_paid_is_forgotten() -> None:
    asked = (route(50), somebody())
    count_shared({asked: 10})
    assert 0 < valkey.cache_store().pttl(stored_key(asked)) <= 200
    stranger = (route(50), somebody())
    count_shared({stranger: 0})
    assert valkey.cache_store().exists(stored_key(stranger)) == 0


def test_a_clock_that_was_set_back_locks_nobody_out() -> None:
    asked = (route(50), somebody())
    valkey.cache_store().set(stored_key(asked), store_micros() + 3_600_000_000)
    assert count_shared({asked: 1})[0].wait_seconds == 0.02


class Told:
    def __init__(self) -> None:
        self.refusals: list[tuple[str, str, str, int]] = []

    def __call__(self, *refusal: str | int) -> None:
        self.refusals.append(cast(tuple[str, str, str, int], refusal))


def kinds(results: list[object]) -> list[object]:
    return [type(result) if isinstance(result, RateLimited) else result for result in results]


@needs_database
def test_the_first_items_of_a_client_are_admitted_and_the_bulk_function_gets_no_others() -> None:
    told, calls = Told(), []
    busy, calm, other = somebody(), somebody(), somebody()

    def bulk(items: list[int]) -> list[int]:
        calls.append(items)
        return [10 * item for item in items]

    batch = list(zip([busy, busy, calm, busy, busy, busy, other], range(7), strict=True))
    results = Limiter("on", 1, told).run(route(3), bulk, batch)
    assert kinds(results) == [0, 10, 20, 30, RateLimited, RateLimited, 60]
    assert calls == [[0, 1, 2, 3, 6]]
    assert told.refusals == [("example", "refused", busy, 2)]


def test_a_batch_that_is_refused_as_a_whole_runs_nothing() -> None:
    client = somebody()
    count_shared({(route(1), client): 1})
    results = Limiter("on", 1, Told()).run(
        route(1), lambda items: pytest.fail("was called"), [(client, 1), (client, 2)]
    )
    assert kinds(results) == [RateLimited, RateLimited]


@needs_database
def test_a_bulk_function_that_splits_is_counted_once() -> None:
    client = somebody()

    class BadData(Exception):
        sqlstate = "22003"

    def bulk(items: list[int]) -> list[int]:
        if len(items) > 1:
            raise DatabaseError from BadData()
        return items

    assert Limiter("on", 1, Told()).run(route(2), bulk, [(client, 1), (client, 2)]) == [1, 2]


def test_a_known_refusal_costs_no_call_and_ends_when_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter, asked = Limiter("on", 1, told := Told()), (route(5), somebody())
    limiter.refuse_known(*asked)
    assert kinds(list(limiter.check([asked] * 6))) == [None] * 5 + [RateLimited]
    with monkeypatch.context() as patch:
        patch.setattr(limiter_module, "count_shared", lambda wanted: pytest.fail("was asked"))
        with pytest.raises(RateLimited) as refused:
            limiter.refuse_known(*asked)
    assert told.refusals == [("example", "refused", asked[1], 1)] * 2
    assert refused.value.retry_after_seconds == 1
    limiter.refuse_known(route(5), asked[1])
    time.sleep(0.2)
    limiter.check([(asked[0], somebody())] * 6)  # another one is refused by now
    limiter.refuse_known(*asked)
    assert limiter.check([asked]) == [None]


@needs_database
def test_shadow_reports_and_refuses_nothing() -> None:
    limiter, asked = Limiter("shadow", 1, told := Told()), (route(5), somebody())
    assert limiter.check([asked] * 8) == [None] * 8
    limiter.refuse_known(*asked)
    assert limiter.run(asked[0], lambda items: items, [(asked[1], 1)]) == [1]
    assert told.refusals == [("example", "shadow", asked[1], 3), ("example", "shadow", asked[1], 1)]


def test_off_counts_nothing() -> None:
    asked = (route(1), somebody())
    assert Limiter("off", 1, told := Told()).check([asked] * 3) == [None] * 3
    assert (told.refusals, valkey.cache_store().exists(stored_key(asked))) == ([], 0)


@pytest.fixture
def deaf_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Circuit]:
    """In place of the cache store, one that takes connections and says nothing; its circuit."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = Redis(port=server.getsockname()[1], socket_timeout=0.2, socket_connect_timeout=0.2)
        client.connection_pool.connection_kwargs["retry"] = valkey.cache_store().connection_pool.connection_kwargs[
            "retry"
        ]
        circuit = Circuit("deaf", lambda: 1 / 0)
        monkeypatch.setattr("common.stores.circuits.PROBE_SECONDS", 0.01)
        monkeypatch.setattr(limiter_module, "LIMITS", circuit)
        monkeypatch.setattr(shared, "_script", lambda: client.register_script(shared._SOURCE))
        yield circuit
        circuit.is_open = False  # ends the probe
        client.close()


def test_without_the_store_reads_of_the_hot_path_go_on_and_the_rest_has_its_share(deaf_store: Circuit) -> None:
    limiter, client = Limiter("on", 2, Told()), somebody()
    read, write, django = route(10, "read", reads=True), route(10, "write"), route(4, "django")
    assert limiter.check([(read, client)] * 30) == [None] * 30
    assert kinds(list(limiter.check([(write, client)] * 7))) == [None] * 5 + [RateLimited] * 2
    assert kinds(list(limiter.check([(django, client)] * 3))) == [None] * 2 + [RateLimited]


def test_only_the_first_call_waits_for_a_dead_store(deaf_store: Circuit) -> None:
    limiter, asked = Limiter("on", 1, Told()), (route(100), somebody())
    assert seconds_of(lambda: limiter.check([asked])) >= 0.2
    assert deaf_store.is_open
    assert seconds_of(lambda: limiter.check([asked])) < 0.1


def seconds_of(call: Callable[[], object]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


def test_a_dead_store_raises_what_the_limiter_expects(deaf_store: Circuit) -> None:
    with pytest.raises(RedisError):
        count_shared({(route(1), somebody()): 1})


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_in_the_cache_counts_as_nothing_asked(kind: str) -> None:
    asked = (route(5), somebody())
    put_garbage(kind, stored_key(asked))
    first = count_shared({asked: 3})[0]
    assert first.admitted in (0, 3)
    assert 0 <= first.wait_seconds <= 1
    put_garbage(kind, stored_key(asked))
    assert [verdict.admitted for verdict in count_shared({asked: 2, (route(5), somebody()): 2})][1] == 2
