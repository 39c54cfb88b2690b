"""Reads: never "not found" for an id that was handed out, whatever the stores have lost or where its row is by now."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection
from pytest_django import DjangoAssertNumQueries
from redis.exceptions import ConnectionError as StoreGone

from common.errors import FloodgateError, StoreUnavailable
from common.idempotency import IdempotencyRecord, Replayed
from common.stores import valkey
from common.stores.guarded import TRUTH, WRITE_STORE
from tests.timestamps import CORRELATION_ID, append, build_table, committed, entries, make_live, put_entry, read
from timestamps import selectors
from timestamps.consumer.consuming import consume_log
from timestamps.errors import Rebuilding, TableIsBroken, TimestampNotFound
from timestamps.ids import id_at, ids_from, position_of
from timestamps.livetable import live_table
from timestamps.log import stream
from timestamps.models import DeadLetter, RecordTable
from timestamps.records import projecting, rows
from timestamps.records.projecting import project
from timestamps.services import append_timestamps
from timestamps.types import START, Position, Query, Submission, Timestamp

pytestmark = committed


@pytest.fixture(autouse=True)
def closed_circuits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for circuit in (TRUTH, WRITE_STORE):
        monkeypatch.setattr(circuit, "is_open", False)
        monkeypatch.setattr(circuit, "open", lambda: None)
    yield
    selectors._Pointer.number = 1


def is_found(command_id: UUID) -> bool:
    return isinstance(read(command_id), Timestamp)


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_an_id_is_found_before_and_after_each_step_to_the_database() -> None:
    [command_id] = append(1)
    assert is_found(command_id)
    project(1)
    assert is_found(command_id)  # in both
    stream.raise_high_water_mark(live_table().position)
    assert is_found(command_id)


@pytest.mark.parametrize("step", ["_read_log", "_read_database"])
def test_an_id_is_found_while_it_moves_from_the_log_to_the_database(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """The whole move happens between the two looks of a reader, whichever comes first."""
    [command_id] = append(1)
    look = getattr(selectors, step)

    def look_then_consume(ids: list[UUID]) -> Any:
        found = look(ids)
        consume_log()
        return found

    monkeypatch.setattr(selectors, step, look_then_consume)
    assert is_found(command_id)


def test_what_a_table_took_after_it_went_live_is_found_by_who_knew_the_one_before() -> None:
    append(1)
    consume_log()
    build_table(2)
    project(2)
    make_live(2)
    [command_id] = append(1)
    consume_log()
    assert selectors._Pointer.number == 1
    assert is_found(command_id)


def test_repeats_and_strangers_in_one_batch_are_answered_in_order() -> None:
    first, second = append(2)
    consume_log()
    [third] = append(1)
    stranger = uuid4()
    asked = [third, stranger, first, third, second, first]
    answers = selectors.read_timestamps([Query(command_id) for command_id in asked])
    assert [getattr(answer, "command_id", None) for answer in answers] == [third, None, first, third, second, first]
    assert isinstance(answers[1], TimestampNotFound)


def test_a_truncated_table_is_being_rebuilt_and_takes_nothing_more() -> None:
    lost = append(2)
    consume_log()
    sql("TRUNCATE timestamps_record_1")
    assert isinstance(read(lost[0]), Rebuilding)
    [later] = append(1)
    with pytest.raises(TableIsBroken):
        project(1)
    assert is_found(later)
    assert isinstance(read(lost[0]), Rebuilding)


def test_a_dropped_table_is_being_rebuilt() -> None:
    lost = append(1)
    consume_log()
    sql("DROP TABLE timestamps_record_1")
    assert isinstance(read(lost[0]), Rebuilding)
    with pytest.raises(TableIsBroken):
        project(1)


def test_a_database_of_before_is_being_rebuilt_until_it_has_caught_up() -> None:
    lost = append(2)
    consume_log()
    sql("TRUNCATE timestamps_record_1")
    RecordTable.objects.update(position_ms=0, position_seq=0, last_command_id=None, records=0)
    assert isinstance(read(lost[0]), Rebuilding)
    assert isinstance(read(uuid4()), Rebuilding)
    consume_log()
    assert all(map(is_found, lost))
    assert isinstance(read(uuid4()), TimestampNotFound)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("timestamps_recordtable", ""),
        ("timestamps_deadletter", ""),
        ("timestamps_recordtable", "last_command_id"),
        ("timestamps_deadletter", "command_id"),
    ],
)
def test_a_database_that_is_being_migrated_is_being_rebuilt(table: str, column: str) -> None:
    [lost] = append(1)
    consume_log()
    [waiting] = append(1)
    sql(f"ALTER TABLE {table} RENAME {f'COLUMN {column}' if column else ''} TO hidden")
    try:
        assert isinstance(read(lost), Rebuilding | Timestamp)
        assert isinstance(read(uuid4()), Rebuilding)
        assert is_found(waiting)
    finally:
        hidden = f"{table} RENAME COLUMN hidden TO {column}" if column else f"hidden RENAME TO {table}"
        sql(f"ALTER TABLE {hidden}")


def test_a_database_without_a_live_table_is_being_rebuilt() -> None:
    [lost] = append(1)
    consume_log()
    RecordTable.objects.all().delete()
    assert isinstance(read(lost), Rebuilding)
    consume_log()
    assert is_found(lost)


def test_records_come_back_as_a_table_is_built() -> None:
    lost = append(2)
    consume_log()
    sql("TRUNCATE timestamps_record_1")
    build_table(2)
    assert isinstance(read(lost[1]), Rebuilding)
    project(2)
    assert all(map(is_found, lost))
    make_live(2)
    assert all(map(is_found, lost))
    assert isinstance(read(uuid4()), TimestampNotFound)


def test_the_live_table_is_found_when_the_known_one_was_dropped() -> None:
    [command_id] = append(1)
    build_table(2)
    project(2)
    make_live(2)
    sql("DROP TABLE timestamps_record_1")
    assert is_found(command_id)


def test_a_table_is_asked_for_once_for_any_number_of_ids(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    ids = append(50)
    consume_log()
    with django_assert_num_queries(1):
        selectors.read_timestamps([Query(command_id) for command_id in [*ids, uuid4()]])


def test_without_the_database_what_waits_in_the_log_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    [persisted] = append(1)
    consume_log()
    [waiting] = append(1)

    def fail(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(rows, "_fetch", fail)
    assert is_found(waiting)
    assert isinstance(read(persisted), StoreUnavailable)
    assert isinstance(read(uuid4()), StoreUnavailable)


def test_without_the_log_what_is_persisted_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    [persisted] = append(1)
    consume_log()
    [waiting] = append(1)

    def fail(*_: object) -> None:
        raise StoreGone("gone")

    monkeypatch.setattr(stream, "run", fail)
    assert is_found(persisted)
    assert isinstance(read(waiting), StoreUnavailable)


def test_stores_with_open_circuits_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    [command_id] = append(1)
    for circuit in (TRUTH, WRITE_STORE):
        monkeypatch.setattr(circuit, "is_open", True)
    monkeypatch.setattr(stream, "run", None)
    monkeypatch.setattr(rows, "_fetch", None)
    answer = read(command_id)
    assert isinstance(answer, FloodgateError)
    assert isinstance(answer, StoreUnavailable)


def test_ids_are_not_unknown_while_nobody_knows_whether_the_log_is_fresh() -> None:
    [command_id] = append(1)
    valkey.truth().flushdb()
    assert isinstance(read(command_id), Rebuilding)


# An id says where its entry is


def next_ids(command_id: UUID) -> list[UUID]:
    """Ids like the last one that was handed out, which nobody was given."""
    place = position_of(command_id)
    assert place
    random = str(command_id)[-8:]
    other = f"{int(random, 16) ^ 1:08x}"
    positions = [place.after(), Position(place.ms + 1, 0), Position(place.ms + 3_600_000, 0)]
    return [UUID(id_at(place, other)), *(UUID(id_at(position, random)) for position in positions)]


@pytest.mark.parametrize("consume", [True, False])
def test_an_id_beside_one_that_was_handed_out_is_nobodys(consume: bool) -> None:
    *_, last = append(3)
    if consume:
        consume_log()
    assert is_found(last)
    assert [type(read(one)) for one in next_ids(last)] == [TimestampNotFound] * 4


def test_an_id_that_nobody_was_given_is_not_found_while_the_database_is_behind_what_it_had() -> None:
    *_, last = append(2)
    consume_log()
    sql("TRUNCATE timestamps_record_1")
    RecordTable.objects.update(position_ms=0, position_seq=0, last_command_id=None, records=0)
    assert isinstance(read(last), Rebuilding)
    [later] = append(1)
    assert is_found(later)
    assert [type(read(one)) for one in next_ids(later)[1:]] == [TimestampNotFound] * 3


def test_ids_of_many_submissions_are_where_the_stream_has_them() -> None:
    instants = ["2018-08-04T05:32:31Z"] * 3
    outcomes = append_timestamps([Submission(instants, CORRELATION_ID) for _ in range(5)])
    ids = [UUID(one) for outcome in outcomes for one in ids_from(outcome.first_id, outcome.count)]  # type: ignore[union-attr]
    found = entries(stream.read_after(START, 100))
    assert [(entry.position, entry.fields["command_id"]) for entry in found] == [
        (position_of(one), str(one)) for one in ids
    ]


# Ids that were handed out before they had positions

OLD_ID = UUID("01a1fda7-97c8-7775-a6e6-cad757bbc72a")
OLD_ENTRY = {"command_id": str(OLD_ID), "event_timestamp": "2018-08-04T05:32:31Z", "correlation_id": CORRELATION_ID}


def test_an_old_id_is_never_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    [before] = append(1)
    put_entry(OLD_ENTRY)
    append(1)
    assert isinstance(read(OLD_ID), Rebuilding)
    monkeypatch.setattr(projecting, "STEP_ENTRIES", 1)
    project(1)
    assert is_found(before)
    assert isinstance(read(OLD_ID), Rebuilding)
    project(1)
    assert is_found(OLD_ID)


def test_an_old_id_that_nobody_has_is_not_found_beside_entries_that_wait() -> None:
    append(1)
    assert isinstance(read(OLD_ID), TimestampNotFound)


def test_an_old_dead_letter_is_read() -> None:
    put_entry(OLD_ENTRY | {"event_timestamp": "2018-02-30T00:00:00Z"})
    consume_log()
    DeadLetter.objects.update(command_id=None)
    assert isinstance(read(OLD_ID), TimestampNotFound)
    sql(import_module("timestamps.migrations.0005_deadletter_command_id").TAKE_IDS)
    assert is_found(OLD_ID)


def test_a_record_of_before_is_answered_with_the_ids_of_then() -> None:
    record = IdempotencyRecord(b"d" * 16, b"f" * 16)
    submission = Submission(["2018-08-04T05:32:31Z"] * 2, CORRELATION_ID, record)
    append_timestamps([submission])
    [name] = valkey.truth().keys(stream.prefix() + "marks:*")
    valkey.truth().hset(name, record.digest, record.fingerprint + str(OLD_ID).encode())
    [outcome] = append_timestamps([submission])
    assert isinstance(outcome, Replayed)
    assert list(ids_from(outcome.result.first_id, 2)) == [str(OLD_ID), str(OLD_ID)[:-1] + "b"]
