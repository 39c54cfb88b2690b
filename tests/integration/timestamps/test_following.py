"""One correlation id, from the request over the log and Celery to the row and back; and what is counted on the way."""

import logging
from uuid import UUID

import pytest
from pytest_django import Settings

from gateway.metrics import render
from tests.roads import hot_path
from tests.timestamps import append, put_entry, rows
from timestamps import stream
from timestamps.errors import ConsumerIsLate
from timestamps.health import lag_seconds
from timestamps.tasks import consume_log_task
from timestamps.types import START

ID = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(autouse=True)
def no_limits(settings: Settings) -> None:
    settings.RATE_LIMIT = "off"
    settings.DB_LANES = 1


def test_a_correlation_id_is_followed_from_the_request_to_the_row_and_the_query(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    ticket = hot_path("POST", "/app", X_Correlation_ID=ID)
    assert ticket.headers["x-correlation-id"] == ID
    [entry] = stream.read_after(START, 10) or []
    assert entry.fields["correlation_id"] == ID
    consume_log_task.apply()
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
    assert metric("floodgate_timestamps_lag_entries") == 3
    assert metric("floodgate_timestamps_lag_seconds") > 0
    consume_log_task.apply()
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
    consume_log_task.apply()
    assert lag_seconds() == 0
