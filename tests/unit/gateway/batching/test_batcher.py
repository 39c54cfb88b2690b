"""The queue in front of a bulk function, on a real event loop with real threads."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import FloodgateError, Overloaded, StoreUnavailable
from common.stores.circuits import Circuit
from gateway.batching import batches
from gateway.batching.batcher import Batcher
from gateway.batching.batches import run_batch
from gateway.contract.http import Reply
from gateway.endpoints.hot import HotEndpoint
from gateway.keys.scopes import KeyScope
from gateway.server.app import Gateway

BATCH_LIMIT, QUEUE_LIMIT = 4, 10
WAIT_SECONDS = 5.0


@pytest.fixture(autouse=True, scope="module")
def without_connections() -> Iterator[None]:
    """There is no database here whose stale connections could be closed; probes ask at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "close_old_connections", lambda: None)
        patch.setattr("common.stores.circuits.PROBE_SECONDS", 0.01)
        yield


class Gate:
    """A bulk function that waits until it is let through."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        self.entered = threading.Semaphore(0)
        self.calls: list[list[Any]] = []

    def __call__(self, items: list[Any]) -> list[Any]:
        self.calls.append(items)
        self.entered.release()
        assert self.is_open.wait(WAIT_SECONDS)
        return [("done", item) for item in items]

    async def wait_for_call(self) -> None:
        assert await asyncio.to_thread(self.entered.acquire, timeout=WAIT_SECONDS)


def batcher_of(
    run: Callable[[list[Any]], list[Any]], threads: ThreadPoolExecutor, store: Circuit | None = None, **options: Any
) -> Batcher[Any, Any]:
    options = {
        "batch_limit": BATCH_LIMIT,
        "queue_limit": QUEUE_LIMIT,
        "deadline_seconds": WAIT_SECONDS,
        "batch_seconds": options.get("deadline_seconds", WAIT_SECONDS) / 2,
        "name": "test",
        "observe": lambda items, waited: None,
        **options,
    }
    return Batcher(partial(run_batch, run), threads, store or Circuit("test", lambda: None), **options)


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():
            await asyncio.sleep(0)


def on_loop(scenario: Callable[[ThreadPoolExecutor], Coroutine[Any, Any, None]]) -> None:
    with ThreadPoolExecutor(4) as threads:
        asyncio.run(scenario(threads))


Request = tuple[str, int]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["answered", "refused", "broken", "cancelled"]),
            st.integers(0, 3),
        ),
        max_size=60,
    ),
    st.integers(1, 4),
)
def test_every_request_gets_its_own_answer_and_no_other(requests: list[tuple[str, int]], thread_count: int) -> None:
    """``requests`` are kinds with how many turns of the loop pass before the next one comes."""

    def run(items: list[tuple[int, str]]) -> list[Any]:
        if any(kind == "broken" for _, kind in items):
            error = DatabaseError()
            error.__cause__ = _BadData()
            raise error
        return [Overloaded(str(number)) if kind == "refused" else number for number, kind in items]

    async def scenario() -> None:
        batcher = batcher_of(run, threads, queue_limit=1_000)
        answers = []
        for number, (kind, turns) in enumerate(requests):
            answers.append(batcher.submit((number, kind)))
            if kind == "cancelled":
                answers[-1].cancel()
            for _ in range(turns):
                await asyncio.sleep(0)
        got = await asyncio.wait_for(asyncio.gather(*answers, return_exceptions=True), WAIT_SECONDS)
        assert [_seen(one) for one in got] == [_expected(n, kind) for n, (kind, _) in enumerate(requests)]

    with ThreadPoolExecutor(thread_count) as threads:
        asyncio.run(scenario())


class _BadData(Exception):
    sqlstate = "22003"


def _seen(answer: object) -> object:
    if isinstance(answer, FloodgateError):
        return type(answer), answer.detail
    return type(answer) if isinstance(answer, BaseException) else answer


def _expected(number: int, kind: str) -> object:
    return {
        "answered": number,
        "refused": (Overloaded, str(number)),
        "broken": (FloodgateError, FloodgateError.default_detail),
        "cancelled": asyncio.CancelledError,
    }[kind]


def test_idle_batcher_runs_a_batch_of_one_at_once_and_collects_meanwhile() -> None:
    async def scenario(threads: ThreadPoolExecutor) -> None:
        gate = Gate()
        batcher = batcher_of(gate, threads)
        first = batcher.submit(0)
        await gate.wait_for_call()
        others = [batcher.submit(n) for n in range(1, 8)]
        gate.is_open.set()
        assert await asyncio.gather(first, *others) == [("done", n) for n in range(8)]
        assert gate.calls == [[0], [1, 2, 3, 4], [5, 6, 7]]

    on_loop(scenario)


def test_full_queue_refuses_at_once_and_takes_more_when_it_has_room() -> None:
    async def scenario(threads: ThreadPoolExecutor) -> None:
        gate = Gate()
        batcher = batcher_of(gate, threads)
        answers = [batcher.submit(0)]
        await gate.wait_for_call()
        answers += [batcher.submit(n) for n in range(QUEUE_LIMIT)]
        with pytest.raises(Overloaded):
            batcher.submit("too much")
        gate.is_open.set()
        await asyncio.gather(*answers)
        assert await batcher.submit("again") == ("done", "again")

    on_loop(scenario)


def test_deadline_answers_while_the_thread_is_still_blocked_and_the_probe_closes_the_circuit() -> None:
    async def scenario(threads: ThreadPoolExecutor) -> None:
        gate, is_back = Gate(), threading.Event()
        store = Circuit("test", lambda: None if is_back.is_set() else 1 / 0)
        batcher = batcher_of(gate, threads, store, deadline_seconds=0.2)
        started = time.monotonic()
        running, waiting = batcher.submit(1), None
        await gate.wait_for_call()
        waiting = batcher.submit(2)
        answers = await asyncio.wait_for(asyncio.gather(running, waiting), WAIT_SECONDS)
        assert [type(answer) for answer in answers] == [StoreUnavailable] * 2
        assert 0.2 <= time.monotonic() - started < 1.0
        assert not gate.is_open.is_set()
        assert store.is_open
        with pytest.raises(StoreUnavailable):
            batcher.submit(3)
        is_back.set()
        await _until(lambda: not store.is_open)
        gate.is_open.set()
        assert await batcher.submit(4) == ("done", 4)
        assert gate.calls == [[1], [4]]

    on_loop(scenario)


def test_batch_that_found_no_thread_is_withdrawn_and_says_nothing_of_its_store() -> None:
    async def scenario(threads: ThreadPoolExecutor) -> None:
        others, gate = [Gate() for _ in range(4)], Gate()
        for other in others:
            threads.submit(other, [])
            await other.wait_for_call()
        store = Circuit("test", lambda: None)
        batcher = batcher_of(gate, threads, store, deadline_seconds=0.5, batch_limit=1)
        answers = [batcher.submit(number) for number in range(2)]
        assert isinstance(await asyncio.wait_for(answers[0], WAIT_SECONDS), Overloaded)
        assert not store.is_open
        gate.is_open.set()
        for other in others:
            other.is_open.set()
        assert [type(each) for each in await asyncio.gather(*answers)] == [Overloaded, Overloaded]
        assert gate.calls == []

    on_loop(scenario)


def test_deadline_of_a_batch_stops_no_other_that_needs_no_store() -> None:
    async def scenario(threads: ThreadPoolExecutor) -> None:
        gates, store = {"hangs": Gate(), "cached": Gate()}, Circuit("test", lambda: 1 / 0)
        gates["cached"].is_open.set()
        batcher = batcher_of(
            lambda items: gates[items[0]](items),
            threads,
            store,
            batch_limit=1,
            deadline_seconds=1.0,
            batch_seconds=0.1,
            answers_without_store=True,
        )
        hanging = batcher.submit("hangs")
        await gates["hangs"].wait_for_call()
        await asyncio.sleep(0.4)  # then it waits for less than it may
        cached = batcher.submit("cached")
        assert isinstance(await hanging, StoreUnavailable)
        assert await asyncio.wait_for(cached, WAIT_SECONDS) == ("done", "cached")
        gates["hangs"].is_open.set()

    on_loop(scenario)


def test_more_than_there_is_time_for_is_refused_and_opens_no_circuit() -> None:
    """Three times as much as can be done, in items that take as long as the largest questions."""

    def run(items: list[int]) -> list[int]:
        time.sleep(0.05 * len(items))
        return items

    async def scenario(threads: ThreadPoolExecutor) -> None:
        opened: list[str] = []
        store = Circuit("test", lambda: None)
        store.open = lambda: opened.append("opened")  # type: ignore[method-assign]
        options = {"deadline_seconds": 1.5, "batch_seconds": 0.75, "batch_limit": 16, "queue_limit": 1_000}
        batcher = batcher_of(run, threads, store, **options)
        answers = []
        for number in range(180):
            answers.append(batcher.submit(number))
            await asyncio.sleep(1 / 60)
        got = await asyncio.gather(*answers)
        assert opened == []
        assert {type(answer) for answer in got} == {int, Overloaded}
        assert sum(isinstance(answer, int) for answer in got) >= 45  # of the 60 that fit into three seconds

    with ThreadPoolExecutor(2) as threads:
        asyncio.run(scenario(threads))


def test_batches_shrink_when_they_are_slow_and_grow_when_they_are_quick() -> None:
    sizes: list[int] = []

    def run(items: list[float]) -> list[float]:
        sizes.append(len(items))
        time.sleep(sum(items))
        return items

    async def scenario(threads: ThreadPoolExecutor) -> None:
        batcher = batcher_of(run, threads, batch_limit=16, batch_seconds=1.0, queue_limit=100)
        await asyncio.gather(*(batcher.submit(0.04) for _ in range(32)))
        await asyncio.gather(*(batcher.submit(0.0) for _ in range(40)))

    on_loop(scenario)
    assert sizes == [1, 16, 8, 7, 1, 16, 16, 7]


def test_late_answer_of_a_given_up_batch_reaches_nobody() -> None:
    async def scenario(threads: ThreadPoolExecutor) -> None:
        slow, store = Gate(), Circuit("test", lambda: None)
        batcher = batcher_of(slow, threads, store, deadline_seconds=0.1)
        late = batcher.submit("late")
        assert isinstance(await late, StoreUnavailable)
        await _until(lambda: not store.is_open)
        next_one = batcher.submit("next")
        slow.is_open.set()
        assert await next_one == ("done", "next")
        assert isinstance(late.result(), StoreUnavailable)

    on_loop(scenario)


def test_late_end_of_a_given_up_batch_starts_nothing_beside_the_running_one() -> None:
    async def scenario(threads: ThreadPoolExecutor) -> None:
        gates, store = {"late": Gate(), "running": Gate(), "waiting": Gate()}, Circuit("test", lambda: None)
        gates["waiting"].is_open.set()
        batcher = batcher_of(lambda items: gates[items[0]](items), threads, store, deadline_seconds=0.3)
        await batcher.submit("late")
        await _until(lambda: not store.is_open)
        running = batcher.submit("running")
        await gates["running"].wait_for_call()
        waiting = batcher.submit("waiting")
        gates["late"].is_open.set()
        await threads_idle(threads, busy=1)
        assert gates["waiting"].calls == []
        gates["running"].is_open.set()
        assert await asyncio.gather(*[running, waiting]) == [("done", "running"), ("done", "waiting")]

    on_loop(scenario)


async def threads_idle(threads: ThreadPoolExecutor, *, busy: int) -> None:
    """Wait until all but ``busy`` threads have nothing to do and the loop has heard of it."""
    free = threads._max_workers - busy
    together = threading.Barrier(free)
    await asyncio.gather(
        *(asyncio.get_running_loop().run_in_executor(threads, together.wait, WAIT_SECONDS) for _ in range(free))
    )
    await asyncio.sleep(0)


def test_function_that_needs_no_store_is_asked_while_the_circuit_is_open() -> None:
    async def scenario(threads: ThreadPoolExecutor) -> None:
        store = Circuit("test", lambda: 1 / 0)
        store.is_open = True
        batcher = batcher_of(lambda items: items, threads, store, answers_without_store=True)
        assert await batcher.submit("cached") == "cached"

    on_loop(scenario)


def test_client_that_hangs_up_changes_nothing_for_the_others() -> None:
    async def scenario(threads: ThreadPoolExecutor) -> None:
        gate = Gate()
        batcher = batcher_of(gate, threads)
        answers = [batcher.submit(0)]
        await gate.wait_for_call()
        answers += [batcher.submit(n) for n in range(1, 5)]
        answers[0].cancel()
        answers[2].cancel()
        gate.is_open.set()
        got = await asyncio.gather(*answers, return_exceptions=True)
        assert [one for one in got if not isinstance(one, BaseException)] == [("done", n) for n in (1, 3, 4)]

    on_loop(scenario)


def test_what_clients_send_on_their_answers_shares_the_next_batch_with_what_waited() -> None:
    async def scenario(threads: ThreadPoolExecutor) -> None:
        gate, got = Gate(), []
        gate.is_open.set()
        batcher = batcher_of(gate, threads)

        def ask_on(result: object) -> None:
            got.append(result)
            batcher.call("on", got.append)

        for item in ("first", "waits"):
            batcher.call(item, ask_on if item == "first" else got.append)
        await wait_until(lambda: len(got) == 3)
        assert gate.calls == [["first"], ["waits", "on"]]

    on_loop(scenario)


def test_who_cannot_be_told_keeps_nobody_else_from_it(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(threads: ThreadPoolExecutor) -> None:
        got: list[object] = []
        batcher = batcher_of(lambda items: items, threads)
        batcher.call(0, lambda result: 1 / 0)
        for item in (1, 2):
            batcher.call(item, lambda result: 1 / 0)
            batcher.call(-item, got.append)
        await wait_until(lambda: len(got) == 2)
        assert got == [-1, -2]
        assert await batcher.submit(3) == 3

    on_loop(scenario)
    assert [record.message for record in caplog.records] == ["answer_not_told"] * 3


def test_log_says_where_a_slow_batch_spent_its_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.batching.batcher.SLOW_SECONDS", 0.0)
    caplog.set_level("INFO")

    async def scenario(threads: ThreadPoolExecutor) -> None:
        await batcher_of(list, threads).submit(1)

    on_loop(scenario)
    (record,) = caplog.records
    told = vars(record)
    assert (record.message, told["endpoint"], told["items"]) == ("batch_slow", "test", 1)
    assert all(told[f"{where}_ms"] >= 0 for where in ("queue", "thread", "run", "run_cpu", "loop"))


def test_batch_in_flight_is_answered_when_the_server_stops() -> None:
    async def scenario(threads: ThreadPoolExecutor) -> None:
        gate = Gate()
        gateway = Gateway(_no_django, [_endpoint(gate)])
        batcher = gateway._hot._first["gated"]
        events: asyncio.Queue[Any] = asyncio.Queue()
        sent: asyncio.Queue[Any] = asyncio.Queue()
        serving = asyncio.create_task(gateway({"type": "lifespan"}, events.get, sent.put))
        await events.put({"type": "lifespan.startup"})
        assert (await sent.get())["type"] == "lifespan.startup.complete"
        answer = batcher.submit(("client", 1))
        await gate.wait_for_call()
        await events.put({"type": "lifespan.shutdown"})
        gate.is_open.set()
        assert await answer == ("done", 1)
        await asyncio.wait_for(serving, WAIT_SECONDS)
        assert (await sent.get())["type"] == "lifespan.shutdown.complete"

    on_loop(scenario)


async def _no_django(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("not for Django")


def _endpoint(run: Callable[[list[Any]], list[Any]]) -> HotEndpoint[Any, Any]:
    return HotEndpoint(
        name="gated",
        method="GET",
        path="/gated",
        needs=KeyScope.READ,
        parse=lambda request: None,
        run=run,
        reply=lambda request, result: Reply(200, b""),
        store=Circuit("test", lambda: None),
    )


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
