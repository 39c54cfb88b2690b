"""A store that hangs holds up its own requests and no others."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from common.stores.circuits import Circuit
from gateway.batching import batches
from gateway.batching.bulkheads import bulkheads, threads_by_store
from gateway.contract.http import Message, Reply, Scope
from gateway.endpoints.hot import HotEndpoint, Recall
from gateway.keys.scopes import KeyScope
from gateway.server.app import Gateway

HANGING, WELL = Circuit("hanging", lambda: 1 / 0), Circuit("well", lambda: None)


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def endpoint(name: str, store: Circuit, run: Any = list, **options: Any) -> HotEndpoint[Any, Any]:
    return HotEndpoint(
        name=name,
        method="GET",
        path=f"/{name}",
        needs=KeyScope.READ,
        run=run,
        reply=lambda request, result: Reply(200),
        store=store,
        **{"parse": lambda request: None, **options},
    )


async def no_django(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("not for Django")


async def status_of(gateway: Gateway, path: str) -> int:
    scope: Scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await gateway(scope, lambda: asyncio.sleep(3600), send)  # type: ignore[arg-type, return-value]
    return int(sent[0]["status"])


def test_a_store_that_hangs_at_all_its_addresses_holds_up_no_other_stores_requests(
    stuck: threading.Event, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RATE_LIMIT = "off"
    monkeypatch.setattr(batches, "close_old_connections", lambda: None)

    def hang(items: list[Any]) -> list[Any]:
        assert stuck.wait(10)
        return items

    async def scenario() -> list[int]:
        gateway = Gateway(
            no_django,
            [*(endpoint(f"hangs{number}", HANGING, hang) for number in range(6)), endpoint("answers", WELL)],
        )
        waiting = [asyncio.create_task(status_of(gateway, f"/hangs{number}")) for number in range(6)]
        await asyncio.sleep(0)
        answers = [await asyncio.wait_for(status_of(gateway, "/answers"), 1.0) for _ in range(10)]
        assert not any(task.done() for task in waiting)
        assert [await task for task in waiting] == [503] * 6
        assert (HANGING.is_open, WELL.is_open) == (True, False)
        return answers

    assert asyncio.run(scenario()) == [200] * 10


def test_what_is_recalled_does_not_wait_for_what_the_store_must_be_asked(
    stuck: threading.Event, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RATE_LIMIT = "off"
    monkeypatch.setattr(batches, "close_old_connections", lambda: None)
    asked: list[bytes] = []

    def hang(items: list[bytes]) -> list[bytes]:
        asked.extend(items)
        assert stuck.wait(10)
        return items

    def recall(items: list[bytes]) -> list[bytes | None]:
        return [item if item == b"/known" else None for item in items]

    async def scenario() -> None:
        both = endpoint(
            "{what}",
            Circuit("slow", lambda: None),
            hang,
            parse=lambda request: b"/" + request.param.encode(),
            recall=Recall(run=recall, store=WELL),
        )
        gateway = Gateway(no_django, [both])
        paths = ["/unknown", "/known"] * 3
        waiting = [asyncio.create_task(status_of(gateway, path)) for path in paths]
        answers = [await asyncio.wait_for(task, 1.0) for task in waiting[1::2]]
        assert answers == [200] * 3
        assert not any(task.done() for task in waiting[::2])
        stuck.set()
        assert [await task for task in waiting[::2]] == [200] * 3
        assert set(asked) == {b"/unknown"}

    asyncio.run(scenario())


def test_threads_are_there_before_the_first_batch() -> None:
    """One that could not be started later would keep its batch for ever."""
    executors = bulkheads([endpoint("a", WELL), endpoint("c", HANGING)])
    assert {store: len(executor._threads) for store, executor in executors.items()} == {WELL: 2, HANGING: 2}


def test_each_batcher_has_a_thread_and_each_store_one_more() -> None:
    endpoints = [
        endpoint("a", WELL),
        endpoint("b", WELL, asks_again_for=lambda item, result: 1.0),
        endpoint("c", HANGING),
        endpoint("d", HANGING, recall=Recall(run=list, store=WELL)),
    ]
    assert threads_by_store(endpoints) == {WELL: 5, HANGING: 3}
