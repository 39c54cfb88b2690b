"""Entries that no table can take: out of the way, with the reason, and tried again."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis import Redis

from common.stores import valkey
from tests.timestamps import CORRELATION_ID, append, committed, put_entry, read, rows
from tests.valkeys import own_truth
from timestamps.consumer.consuming import consume_log
from timestamps.livetable import live_table
from timestamps.log import stream
from timestamps.log.recovery import recover_log
from timestamps.models import DeadLetter, DeadLetterState, RecordTable, TableState
from timestamps.records.deadletters import LOGGED_LETTERS, keep_dead_letters
from timestamps.records.projecting import STEP_ENTRIES, project
from timestamps.records.resolving import retry_dead_letters
from timestamps.types import Entry, Position, Timestamp

pytestmark = committed

ID = "01a1fda7-97c8-7775-a6e6-cad757bbc72a"
GOOD = {"command_id": ID, "event_timestamp": "2018-08-04T05:32:31Z", "correlation_id": CORRELATION_ID}
REFUSING = "ALTER TABLE timestamps_record_1 ADD CONSTRAINT refusing CHECK (extract(second FROM event_timestamp) <> 3)"


@pytest.fixture
def refusing_table() -> Iterator[None]:
    """Takes no instant at the fourth second."""
    with connection.cursor() as cursor:
        cursor.execute(REFUSING)
    yield
    accept()


def accept() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE IF EXISTS timestamps_record_1 DROP CONSTRAINT IF EXISTS refusing")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"command_id": "1"}, "command_id is malformed"),
        ({"command_id": b"\xff"}, "command_id is malformed"),
        ({"command_id": None}, "command_id is missing"),
        ({"correlation_id": b"\xff\x00"}, "correlation_id is malformed"),
        ({"event_timestamp": "yesterday"}, "event_timestamp is malformed"),
        ({"event_timestamp": "2018-02-30T00:00:00Z"}, "event_timestamp is no time of the calendar"),
        ({"event_timestamp": "0000-01-01T00:00:00Z"}, "event_timestamp is no time of the calendar"),
        ({"event_timestamp": "9999-12-31T23:59:60Z"}, "event_timestamp is no time of the calendar"),
    ],
)
def test_a_broken_entry_is_kept_with_the_reason_and_holds_nobody_up(
    change: dict[str, str | bytes | None], reason: str
) -> None:
    before = append(3)
    fields = {name: value for name, value in (GOOD | change).items() if value is not None}
    position = put_entry(fields)
    after = append(3)
    assert consume_log() == 7
    assert [row[0] for row in rows()] == [*before, *after]
    letter = DeadLetter.objects.get()
    assert letter.position == position
    assert letter.reason.startswith(reason)
    kept = {name: value.encode(errors="surrogateescape") for name, value in json.loads(letter.fields).items()}
    assert kept == {name: value if isinstance(value, bytes) else value.encode() for name, value in fields.items()}
    assert isinstance(read(UUID(ID)), Timestamp) == (fields.get("command_id") == ID)


def test_what_the_database_refuses_is_found_among_many_and_still_read(refusing_table: None) -> None:
    ids = append(200)
    consume_log()
    refused = [ids[3], ids[63], ids[123], ids[183]]
    assert sorted(row[0] for row in rows()) == sorted(set(ids) - set(refused))
    assert DeadLetter.objects.count() == 4
    assert all("23514" in letter.reason for letter in DeadLetter.objects.all())
    assert live_table().records == 196
    answer = read(refused[0])
    assert isinstance(answer, Timestamp)
    assert answer.created_at is None


def pass_a_batch_that_no_table_takes() -> None:
    """0.5 s, and 2 s on a machine that others use too: savepoints and halves took 23 s."""
    started = time.monotonic()
    with CaptureQueriesContext(connection) as statements:
        assert project(1) == STEP_ENTRIES
    assert len(statements) < 20
    assert time.monotonic() - started < 10
    assert (rows(), DeadLetter.objects.count()) == ([], STEP_ENTRIES)


def test_a_batch_whose_days_do_not_exist_is_passed_in_time(caplog: pytest.LogCaptureFixture) -> None:
    with valkey.truth().pipeline(transaction=False) as pipeline:
        for at in range(STEP_ENTRIES):
            fields = GOOD | {"command_id": f"{ID[:-4]}{at:04x}", "event_timestamp": "2018-02-30T00:00:00Z"}
            pipeline.xadd(stream.stream_key(), fields)  # type: ignore[arg-type]
        pipeline.execute()
    pass_a_batch_that_no_table_takes()
    assert caplog.messages.count("dead_letter") == LOGGED_LETTERS
    [rest] = [record for record in caplog.records if record.message == "more_dead_letters"]
    assert rest.count == STEP_ENTRIES - LOGGED_LETTERS  # type: ignore[attr-defined]


def test_a_batch_that_a_table_refuses_without_our_foreseeing_it_is_passed_in_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE timestamps_record_1 ADD CONSTRAINT refusing CHECK (false)")
    append(STEP_ENTRIES)
    pass_a_batch_that_no_table_takes()


def test_a_batch_of_dead_letters_alone_moves_the_position(refusing_table: None) -> None:
    append(4)
    consume_log()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM timestamps_record_1 WHERE command_id <> %s", [live_table().last_command_id])
    put_entry({"command_id": "1"})
    assert consume_log() == 1
    assert consume_log() == 0


def test_a_dead_letter_becomes_a_record_when_the_reason_is_gone(refusing_table: None) -> None:
    ids = append(5)
    consume_log()
    assert retry_dead_letters() == (0, 1)
    accept()
    assert retry_dead_letters() == (1, 0)
    assert [row[0] for row in rows()] == ids
    assert live_table().records == 5
    letter = DeadLetter.objects.get()
    assert letter.state == DeadLetterState.RETRIED
    assert letter.retried_at is not None
    assert retry_dead_letters() == (0, 0)


def test_a_letter_that_a_rebuild_refuses_again_is_still_read(refusing_table: None) -> None:
    ids = append(5)
    consume_log()
    accept()
    retry_dead_letters()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE timestamps_record_1")
        cursor.execute(REFUSING)
    RecordTable.objects.update(position_ms=0, position_seq=0, last_command_id=None, records=0)
    consume_log()
    assert DeadLetter.objects.get().state == DeadLetterState.WAITING
    assert isinstance(read(ids[3]), Timestamp)


def test_the_command_says_what_is_left(refusing_table: None, capsys: pytest.CaptureFixture[str]) -> None:
    append(4)
    consume_log()
    with pytest.raises(SystemExit):
        call_command("retry_dead_letters")
    accept()
    call_command("retry_dead_letters")
    assert capsys.readouterr().out.splitlines() == [
        "0 dead letters are records now, 1 are still refused",
        "1 dead letters are records now, 0 are still refused",
    ]


def test_letters_are_kept_in_the_order_of_the_log() -> None:
    """Whatever was wrong with them: two projections that keep the same letters would wait for each other."""
    entries = [Entry(Position(1, at), GOOD) for at in (3, 1, 2)]
    keep_dead_letters([(entry, "broken") for entry in entries])
    assert [letter.position.seq for letter in DeadLetter.objects.order_by("pk")] == [1, 2, 3]


def test_a_dead_letter_is_logged_with_its_correlation_id(caplog: pytest.LogCaptureFixture) -> None:
    put_entry(GOOD | {"event_timestamp": "yesterday"})
    with caplog.at_level(logging.ERROR):
        consume_log()
    [line] = [record for record in caplog.records if record.message == "dead_letter"]
    assert CORRELATION_ID in line.fields  # type: ignore[attr-defined]


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator["Redis"]:
    """A truth store that no other test shares."""
    with own_truth(tmp_path) as client:
        yield client


def test_a_full_log_does_not_stop_at_a_dead_letter(own_store: "Redis") -> None:
    recover_log()
    put_entry(GOOD | {"event_timestamp": "yesterday"})
    ids = append(3)
    own_store.config_set("maxmemory", 1)
    assert consume_log() == 4
    assert [row[0] for row in rows()] == ids


def test_a_letter_waits_while_the_table_is_gone(refusing_table: None) -> None:
    append(4)
    consume_log()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE timestamps_record_1")
    with pytest.raises(CommandError, match="must be rebuilt"):
        call_command("retry_dead_letters")
    assert DeadLetter.objects.get().state == DeadLetterState.WAITING


def test_a_table_that_is_lost_before_its_first_record_is_rebuilt() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE timestamps_record_1")
    append(1)
    consume_log()
    assert RecordTable.objects.filter(state=TableState.BUILDING).exists()


def test_a_letter_from_before_letters_had_ids_gets_its_own_when_it_is_refused_again() -> None:
    entry = Entry(Position(1, 1), GOOD)
    keep_dead_letters([(entry, "broken")])
    DeadLetter.objects.update(state=DeadLetterState.RETRIED, command_id=None)
    keep_dead_letters([(entry, "broken again")])
    assert isinstance(read(UUID(ID)), Timestamp)
