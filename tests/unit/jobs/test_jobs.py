"""Jobs as they are declared, and what becomes of a turn."""

import logging
import os
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, ProgrammingError
from redis.exceptions import ConnectionError as StoreGone

from common.errors import Broken, FloodgateError, StoreUnavailable
from jobs import running
from jobs.job import Job
from jobs.running import run
from jobs.schedule import beat_schedule

answer: Any = None  # of a turn: a value, or an exception that it raises


def turn(*_: float) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


JOB = Job(name="example.work", queue="flush", every_seconds=2.0, turn=f"{__name__}:turn", asked=2, woken=3)


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Job, int]]:
    calls: list[tuple[Job, int]] = []
    monkeypatch.setattr(running, "wake", lambda job, workers: calls.append((job, workers)))
    return calls


@pytest.mark.parametrize("job", settings.JOBS, ids=lambda job: job.name)
def test_what_a_job_names_is_there(job: Job) -> None:
    job.load()
    assert job.name.partition(".")[0] == job.turn.partition(".")[0]
    assert (job.watch == "") == (job.watch_seconds == 0)


def test_names_of_jobs_are_their_own() -> None:
    assert max(Counter(job.name for job in settings.JOBS).values()) == 1


def test_beat_asks_as_many_workers_as_the_job_says_and_no_message_outlives_the_next() -> None:
    schedule = beat_schedule([JOB])
    options = {"queue": "flush", "expires": 2.0}
    assert list(schedule.values()) == [{"task": "example.work", "schedule": 2.0, "options": options}] * 2


@pytest.mark.parametrize(("returned", "wakes"), [(True, True), (False, False), (None, False), (7, False)])
def test_a_turn_that_leaves_work_wakes_one_worker(
    monkeypatch: pytest.MonkeyPatch, woken: list[tuple[Job, int]], returned: Any, wakes: bool
) -> None:
    monkeypatch.setitem(globals(), "answer", returned)
    run(JOB)
    assert woken == [(JOB, 1)] * wakes


class Missing(Exception):
    sqlstate = "42P01"


def not_migrated() -> ProgrammingError:
    error = ProgrammingError("no such table")
    error.__cause__ = Missing()
    return error


@pytest.mark.parametrize(
    ("error", "event", "level"),
    [
        (OperationalError("away"), "job_waits_for_store", logging.WARNING),
        (StoreGone("away"), "job_waits_for_store", logging.WARNING),
        (StoreUnavailable(), "job_waits_for_store", logging.WARNING),
        (Broken("broken"), "job_is_stuck", logging.ERROR),
        (not_migrated(), "job_waits_for_migrations", logging.WARNING),
    ],
)
def test_a_turn_that_cannot_be_taken_now_is_a_line_of_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, event: str, level: int
) -> None:
    monkeypatch.setitem(globals(), "answer", error)
    run(replace(JOB, waits_for_migrations=True))
    [record] = caplog.records
    assert (record.message, record.levelno, record.job) == (event, level, "example.work")  # type: ignore[attr-defined]


@pytest.mark.parametrize("error", [ValueError("a defect"), ProgrammingError("a defect"), FloodgateError("a defect")])
def test_a_defect_fails_the_task(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setitem(globals(), "answer", error)
    with pytest.raises(type(error), match="a defect"):
        run(JOB)


def test_a_missing_table_is_a_defect_where_nothing_is_to_be_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "answer", not_migrated())
    with pytest.raises(ProgrammingError):
        run(JOB)


def test_beat_does_not_ask_for_a_job_that_is_off() -> None:
    assert beat_schedule([replace(JOB, is_on=False)]) == {}


def test_a_process_is_nice_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "nice", calls.append)
    running._be_nice.cache_clear()
    for _ in range(2):
        running._be_nice(10)
    assert calls == [10]
    running._be_nice.cache_clear()
