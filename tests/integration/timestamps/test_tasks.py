"""Celery's door: it wakes itself while there is more, and waits in one line of log."""

import time
from collections.abc import Callable

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings
from redis.exceptions import ConnectionError as StoreGone

from tests.timestamps import append, committed, rows
from timestamps import consuming, stream, tasks
from timestamps.consuming import consume_log, live_table
from timestamps.errors import ArchiveIsBroken, ArchiveUnavailable
from timestamps.replays import start_replay
from timestamps.stream import trimmed
from timestamps.tasks import archive_log_task, consume_log_task, drop_retired_tables_task, replay_task
from timestamps.types import Position

pytestmark = committed


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(tasks, "wake", lambda task, queue, workers: names.append(f"{task} on {queue}"))
    monkeypatch.setattr(tasks, "wake_consumer", lambda: names.append("consumer"))
    return names


def test_consumer_stays_for_entries_that_come(monkeypatch: pytest.MonkeyPatch, woken: list[str]) -> None:
    append(2)
    wait, coming = stream.await_entry, [3, 4]

    def append_meanwhile(position: Position, seconds: float) -> bool:
        if coming:
            append(coming.pop())
        return wait(position, seconds)

    monkeypatch.setattr(stream, "await_entry", append_meanwhile)
    consume_log_task()
    assert (len(rows()), woken) == (9, [])


def test_consumer_that_others_may_need_comes_back_at_once(monkeypatch: pytest.MonkeyPatch, woken: list[str]) -> None:
    monkeypatch.setattr(consuming, "BUSY_SECONDS", 0.0)
    consume_log_task()
    assert woken == ["consumer"]


def test_consumer_does_not_stay_for_a_table_that_must_be_rebuilt(woken: list[str]) -> None:
    append(3)
    consume_log()
    append(3)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE timestamps_record_1")
    began = time.monotonic()
    consume_log_task()
    assert time.monotonic() - began < consuming.BUSY_SECONDS / 2
    assert woken == []


def test_archiver_wakes_itself_until_nothing_is_left(woken: list[str], settings: Settings) -> None:
    settings.TIMESTAMPS_SEGMENT_ENTRIES = 10
    append(25)
    consume_log()
    for _ in range(3):
        archive_log_task()
    assert woken == ["timestamps.archive on batches"] * 2
    assert trimmed() < live_table().position


def test_replayer_goes_on_to_the_switch(woken: list[str]) -> None:
    append(5)
    consume_log()
    start_replay("again")
    replay_task()
    assert (live_table().number, woken) == (2, [])
    drop_retired_tables_task()
    assert live_table().number == 2


@pytest.mark.parametrize(
    ("work", "task"),
    [
        ("archive_step", archive_log_task),
        ("replay_step", replay_task),
        ("follow_log", consume_log_task),
        ("drop_retired_tables", drop_retired_tables_task),
    ],
)
@pytest.mark.parametrize(
    "error", [OperationalError("away"), StoreGone("away"), ArchiveUnavailable(), ArchiveIsBroken()]
)
def test_task_waits_for_what_is_away(
    work: str, task: Callable[[], None], error: Exception, monkeypatch: pytest.MonkeyPatch, woken: list[str]
) -> None:
    def fails() -> bool:
        raise error

    monkeypatch.setattr(tasks, work, fails)
    task()
    assert woken == []
