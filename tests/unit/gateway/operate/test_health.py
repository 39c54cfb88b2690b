import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.contract.http import Reply
from gateway.operate import health


@pytest.fixture(autouse=True)
def _own_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_checks", {})
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.2)


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """A check that waits on this hangs for the whole test."""
    event = threading.Event()
    yield event
    event.set()


def ready() -> tuple[int, dict[str, Any]]:
    return as_json(asyncio.run(health.Readiness().reply()))


def as_json(reply: Reply) -> tuple[int, dict[str, Any]]:
    assert reply.content_type == b"application/health+json"
    return reply.status, json.loads(reply.body)


def fail() -> None:
    raise ConnectionError("connection to db.internal as admin refused")


def test_all_checks_pass() -> None:
    health.register_check("a", lambda: None)
    health.register_check("b", lambda: 7)
    status, body = ready()
    assert (status, body["status"]) == (200, "pass")
    assert body["checks"]["b"][0]["observedValue"] == 7
    assert body["checks"]["a"][0]["observedValue"] >= 0
    assert body["checks"]["a"][0]["time"].endswith("Z")


def test_a_required_check_that_fails_makes_it_503_and_tells_no_secrets() -> None:
    health.register_check("store", fail)
    health.register_check("other", lambda: None)
    status, body = ready()
    assert (status, body["status"]) == (503, "fail")
    assert body["checks"]["store"][0]["output"] == "ConnectionError"
    assert body["checks"]["other"][0]["status"] == "pass"


def test_an_optional_check_that_fails_is_a_warning() -> None:
    health.register_check("cache", fail, required=False)
    status, body = ready()
    assert (status, body["status"], body["checks"]["cache"][0]["status"]) == (200, "warn", "warn")


def test_a_check_that_hangs_fails_at_its_deadline_and_delays_no_other(stuck: threading.Event) -> None:
    health.register_check("hanging", stuck.wait)
    health.register_check("other", lambda: None)
    status, body = ready_while_stuck(stuck)
    assert status == 503
    assert body["checks"]["hanging"][0]["output"] == "no answer within 0.2 s"
    assert body["checks"]["other"][0]["status"] == "pass"


def ready_while_stuck(stuck: threading.Event) -> tuple[int, dict[str, Any]]:
    async def ask() -> Reply:
        async with asyncio.timeout(2):
            return await health.Readiness().reply()

    answer = as_json(asyncio.run(ask()))
    assert not stuck.is_set()
    return answer


def test_probes_of_half_a_second_share_one_result() -> None:
    asked: list[int] = []
    health.register_check("counted", lambda: asked.append(1))

    async def probe() -> None:
        readiness = health.Readiness()
        await asyncio.gather(*(readiness.reply() for _ in range(50)))

    asyncio.run(probe())
    assert len(asked) == 1


def test_live_needs_no_store() -> None:
    health.register_check("store", fail)
    status, body = as_json(asyncio.run(health.live()))
    assert (status, body) == (200, {"status": "pass"})


def test_group_is_ready_while_the_checks_that_it_names_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_groups", {})
    health.register_check("store", lambda: None)
    health.register_check("other", fail)
    health.register_check("log", fail, required=False)
    health.register_group("rates", "store")
    health.register_group("timestamps", "store", "log")
    routes = health.health_routes()

    async def ask(path: str) -> Reply:
        return await routes[path]()

    assert as_json(asyncio.run(ask("/health/ready")))[0] == 503
    status, body = as_json(asyncio.run(ask("/health/ready/rates")))
    assert (status, body["status"], list(body["checks"])) == (200, "pass", ["store"])
    status, body = as_json(asyncio.run(ask("/health/ready/timestamps")))
    assert (status, body["status"], list(body["checks"])) == (503, "fail", ["store", "log"])
