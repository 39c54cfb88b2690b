"""``?wait=``: the answer comes when the row is there, and nobody holds a thread meanwhile."""

import asyncio
import time
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from pytest_django import Settings

from gateway.endpoints.hot import hot_endpoints
from gateway.server.app import Gateway
from tests.roads import django, end_threads, hot_path
from tests.timestamps import append, committed
from timestamps.consumer.consuming import consume_log

pytestmark = committed


@pytest.fixture(autouse=True)
def limits(settings: Settings) -> None:
    settings.RATE_LIMIT = "on"


async def ask(gateway: Gateway, command_id: UUID, wait: str) -> bytes:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    path = f"/api/v1/timestamp/{command_id}"
    scope = {"type": "http", "method": "GET", "path": path, "query_string": f"wait={wait}".encode(), "headers": []}
    await gateway({**scope, "client": ("127.0.0.1", 0)}, receive, send)
    assert sent[0]["status"] == 200
    body: bytes = sent[1]["body"]
    return body


async def ask_many(ids: list[UUID]) -> tuple[list[bytes], float]:
    """Everybody waits for its own id; the consumer runs once all do. The answers, and seconds from then on."""
    gateway = Gateway(None, hot_endpoints())  # type: ignore[arg-type]
    waiting = asyncio.gather(*(ask(gateway, command_id, "10") for command_id in ids))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await asyncio.to_thread(consume)
    started = time.monotonic()
    answers = await waiting
    end_threads(gateway)
    return answers, time.monotonic() - started


def consume() -> None:
    consume_log()
    connections.close_all()


def test_500_wait_with_one_thread_and_within_the_rate_limit() -> None:
    ids = append(500)
    answers, seconds = asyncio.run(ask_many(ids))
    assert all(str(command_id).encode() in answer for command_id, answer in zip(ids, answers, strict=True))
    assert not any(b'"created_at": null' in answer for answer in answers)
    assert seconds < 5


@pytest.mark.parametrize("road", [hot_path, django])
def test_a_wait_that_is_over_is_answered_as_it_stands(road: Any) -> None:
    [command_id] = append(1)
    started = time.monotonic()
    answer = road("GET", f"/api/v1/timestamp/{command_id}?wait=0.3")
    assert answer.json["created_at"] is None
    assert 0.3 <= time.monotonic() - started < 2


@pytest.mark.parametrize("road", [hot_path, django])
def test_what_is_there_or_unknown_is_not_waited_for(road: Any) -> None:
    [command_id] = append(1)
    consume_log()
    started = time.monotonic()
    assert road("GET", f"/api/v1/timestamp/{command_id}?wait=10").json["created_at"]
    assert road("GET", "/api/v1/timestamp/00000000-0000-7000-8000-000000000000?wait=10").status == 404
    assert time.monotonic() - started < 5
