"""Readiness against real stores: one that answers and takes no writes is not ready."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.stores import valkey
from gateway.operate.health import Readiness, health_routes
from gateway.operate.proofs import TRUTH_POLICY, write_to_database
from tests.valkeys import own_truth, own_valkey
from timestamps.log.recovery import recover_log

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])
TRUTH, WRITE_STORE, CACHE = "valkey-truth:responseTime", "write-store:responseTime", "valkey-cache:responseTime"
Faults = list[tuple[Callable[[Any], object], str]]
TRUTH_FAULTS: Faults = [
    (lambda store: store.replicaof("127.0.0.1", 1), "ReadOnlyError"),
    (lambda store: store.config_set("maxmemory", 1), "OutOfMemoryError"),
    (
        lambda store: store.config_set("appendonly", "no"),
        "The truth Valkey has appendonly 'no' instead of 'yes': what it takes may be lost.",
    ),
    (
        lambda store: store.config_set("appendfsync", "everysec"),
        "The truth Valkey has appendfsync 'everysec' instead of 'always': what it takes may be lost.",
    ),
]


def ready() -> tuple[int, dict[str, Any]]:
    reply = asyncio.run(Readiness().reply())
    return reply.status, {name: found[0] for name, found in json.loads(reply.body)["checks"].items()}


@pytest.fixture
def truth(tmp_path: Path) -> Iterator[Any]:
    with own_truth(
        tmp_path, *(text for name, value in TRUTH_POLICY.items() for text in (f"--{name}", value))
    ) as client:
        yield client


@pytest.mark.parametrize(("fault", "output"), TRUTH_FAULTS)
def test_a_truth_store_that_could_lose_writes_is_not_ready(
    truth: Any, fault: Callable[[Any], object], output: str
) -> None:
    assert ready()[1][TRUTH]["status"] == "pass"
    fault(truth)
    status, checks = ready()
    assert (status, checks[TRUTH]["status"], checks[TRUTH]["output"]) == (503, "fail", output)


def test_a_cache_that_takes_no_writes_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with own_valkey(tmp_path) as store:
        monkeypatch.setattr(valkey, "cache_store", lambda: store)
        store.replicaof("127.0.0.1", 1)
        status, checks = ready()
    assert (status, checks[CACHE]["status"]) == (200, "warn")


@pytest.mark.usefixtures("read_only_database")
def test_a_database_that_takes_no_writes_is_not_ready() -> None:
    status, checks = ready()
    assert (status, checks[WRITE_STORE]["status"], checks[WRITE_STORE]["output"]) == (503, "fail", "InternalError")
    assert checks["read-store:responseTime"]["status"] == "pass"


def test_a_process_that_stops_while_it_proves_holds_up_no_other() -> None:
    """What it has sent by then is a whole transaction."""
    with CaptureQueriesContext(connection) as queries:
        write_to_database()
    assert [query["sql"].split()[0] for query in queries] == ["INSERT"]


def test_readiness_leaves_one_row_however_often_it_is_asked() -> None:
    for _ in range(3):
        assert ready()[0] == 200
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM gateway_writeproof")
        assert cursor.fetchone() == (1,)


def groups() -> dict[str, int]:
    """Status of each group of routes."""
    prefix = "/health/ready/"

    async def ask() -> dict[str, int]:
        routes = {path: answer for path, answer in health_routes().items() if path.startswith(prefix)}
        return {path.removeprefix(prefix): (await answer()).status for path, answer in routes.items()}

    return asyncio.run(ask())


GROUPS = {"promotions", "counters", "vouchers", "timestamps", "rates"}


@pytest.fixture
def opened(truth: Any) -> Any:
    recover_log()
    return truth


def test_groups_are_ready_as_the_stores_of_their_writes_are(opened: Any) -> None:
    assert groups() == dict.fromkeys(GROUPS, 200)
    opened.config_set("appendonly", "no")
    assert groups() == dict.fromkeys(GROUPS, 200) | {"counters": 503, "timestamps": 503}


@pytest.mark.usefixtures("opened")
def test_groups_that_write_to_the_database_are_not_ready_while_it_takes_no_writes(
    request: pytest.FixtureRequest,
) -> None:
    request.getfixturevalue("read_only_database")
    assert groups() == dict.fromkeys(GROUPS, 503) | {"counters": 200, "timestamps": 200}


def test_group_of_timestamps_is_not_ready_before_its_log_is_open(truth: Any) -> None:
    assert groups()["timestamps"] == 503
    assert groups()["counters"] == 200
