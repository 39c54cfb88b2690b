"""Jobs: each wakes a worker again while there is more, and waits in one line of log."""

import time

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings
from redis.exceptions import ConnectionError as StoreGone

from jobs import running
from jobs.job import Job
from jobs.running import run
from tests.timestamps import append, committed, rows
from timestamps import jobs
from timestamps.consumer import consuming
from timestamps.consumer.consuming import consume_log
from timestamps.errors import ArchiveIsBroken, ArchiveUnavailable
from timestamps.livetable import live_table
from timestamps.log import stream
from timestamps.replay.replays import start_replay
from timestamps.types import Position

pytestmark = committed


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(running, "wake", lambda job, workers: names.append(job.name))
    return names


def test_consumer_stays_for_entries_that_come(monkeypatch: pytest.MonkeyPatch, woken: list[str]) -> None:
    append(2)
    wait, coming = stream.await_entry, [3, 4]

    def append_meanwhile(position: Position, seconds: float) -> bool:
        if coming:
            append(coming.pop())
        return wait(position, seconds)

    monkeypatch.setattr(stream, "await_entry", append_meanwhile)
    run(jobs.CONSUME)
    assert (len(rows()), woken) == (9, [])


def test_consumer_that_others_may_need_comes_back_at_once(monkeypatch: pytest.MonkeyPatch, woken: list[str]) -> None:
    monkeypatch.setattr(consuming, "BUSY_SECONDS", 0.0)
    run(jobs.CONSUME)
    assert woken == ["timestamps.consume"]


def test_consumer_does_not_stay_for_a_table_that_must_be_rebuilt(woken: list[str]) -> None:
    append(3)
    consume_log()
    append(3)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE timestamps_record_1")
    began = time.monotonic()
    run(jobs.CONSUME)
    assert time.monotonic() - began < consuming.BUSY_SECONDS / 2
    assert woken == []


def test_archiver_wakes_itself_until_nothing_is_left(woken: list[str], settings: Settings) -> None:
    settings.TIMESTAMPS_SEGMENT_ENTRIES = 10
    append(25)
    consume_log()
    for _ in range(3):
        run(jobs.ARCHIVE)
    assert woken == ["timestamps.archive"] * 2
    assert stream.low_water_mark() < live_table().position


def test_replayer_goes_on_to_the_switch(woken: list[str]) -> None:
    append(5)
    consume_log()
    start_replay("again")
    run(jobs.REPLAY)
    assert (live_table().number, woken) == (2, [])
    run(jobs.CLEAN_UP)
    assert live_table().number == 2


@pytest.mark.parametrize("job", jobs.JOBS, ids=lambda job: job.name)
@pytest.mark.parametrize(
    "error", [OperationalError("away"), StoreGone("away"), ArchiveUnavailable(), ArchiveIsBroken()]
)
def test_job_waits_for_what_is_away(
    job: Job, error: Exception, monkeypatch: pytest.MonkeyPatch, woken: list[str]
) -> None:
    def fails() -> bool:
        raise error

    monkeypatch.setattr(job.turn.replace(":", "."), fails)
    run(job)
    assert woken == []
