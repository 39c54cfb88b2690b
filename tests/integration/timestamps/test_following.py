"""One correlation id, from the request over the log and Celery to the row and back; and what is counted on the way."""

import logging
from uuid import UUID

import pytest
from django.db import connection
from pytest_django import Settings

from gateway.operate.metrics import render
from jobs.running import run
from tests.roads import hot_path
from tests.timestamps import append, committed, entries, put_entry, rows
from timestamps import jobs
from timestamps.consumer import lateness
from timestamps.consumer.lateness import consume_if_late
from timestamps.errors import ConsumerIsLate, Rebuilding
from timestamps.health import lag_seconds
from timestamps.log import stream
from timestamps.models import RecordTable
from timestamps.types import START

pytestmark = committed

ID = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(autouse=True)
def no_limits(settings: Settings) -> None:
    settings.RATE_LIMIT = "off"


def test_a_correlation_id_is_followed_from_the_request_to_the_row_and_the_query(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    ticket = hot_path("POST", "/app", X_Correlation_ID=ID)
    assert ticket.headers["x-correlation-id"] == ID
    [entry] = entries(stream.read_after(START, 10))
    assert entry.fields["correlation_id"] == ID
    run(jobs.CONSUME)
    [written] = [record for record in caplog.records if record.message == "records_written"]
    assert written.correlation_ids == [ID]  # type: ignore[attr-defined]
    assert [row[2] for row in rows()] == [UUID(ID)]
    hot_path("GET", ticket.headers["location"])
    [read] = [record for record in caplog.records if record.message == "timestamps_read"]
    [line] = read.reads  # type: ignore[attr-defined]
    assert (line["id"], line["correlation_id"]) == (ticket.json["id"], ID)
    assert line["asked_by"] not in ("", ID)


def metric(name: str) -> float:
    lines = render().body.decode().splitlines()
    [value] = [line.split()[-1] for line in lines if line.startswith(name + " ")]
    return float(value)


def test_metrics_tell_what_is_appended_persisted_late_and_dead() -> None:
    appended = metric("floodgate_timestamps_appended_total")
    append(3)
    put_entry({"command_id": "1"})
    assert metric("floodgate_timestamps_appended_total") == appended + 3
    assert metric("floodgate_timestamps_lag_entries") == 4
    assert metric("floodgate_timestamps_lag_seconds") > 0
    run(jobs.CONSUME)
    assert metric("floodgate_timestamps_persisted") == 3
    assert metric("floodgate_timestamps_lag_entries") == 0
    assert metric("floodgate_timestamps_lag_seconds") == 0
    assert metric("floodgate_timestamps_dead_letters") == 1


def test_readiness_warns_of_a_consumer_that_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    append(1)
    assert lag_seconds() < 5
    monkeypatch.setattr("timestamps.health.LATE_SECONDS", 0.0)
    with pytest.raises(ConsumerIsLate):
        lag_seconds()
    run(jobs.CONSUME)
    assert lag_seconds() == 0


def test_readiness_and_metrics_tell_of_a_database_that_lacks_what_it_had() -> None:
    append(2)
    run(jobs.CONSUME)
    assert metric("floodgate_timestamps_rebuilding") == 0
    RecordTable.objects.update(position_ms=0, position_seq=0, last_command_id=None)
    assert metric("floodgate_timestamps_rebuilding") == 1
    with pytest.raises(Rebuilding):
        lag_seconds()


def test_a_database_without_tables_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE timestamps_recordtable RENAME TO hidden")
    try:
        run(jobs.CONSUME)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE hidden RENAME TO timestamps_recordtable")
    assert "job_waits_for_migrations" in caplog.messages


def test_the_watchdog_consumes_what_is_late_and_what_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    append(2)
    consume_if_late()
    assert rows() == []
    monkeypatch.setattr(lateness, "LATE_SECONDS", 0.0)
    consume_if_late()
    assert len(rows()) == 2
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE timestamps_record_1")
    RecordTable.objects.update(position_ms=0, position_seq=0, last_command_id=None)
    consume_if_late()
    assert len(rows()) == 2
