"""A truth store that starts: empty, older than the archive, beside a clock that is behind, or just as it was."""

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections, transaction
from pytest_django import Settings

from common.errors import FloodgateError
from common.stores import valkey
from tests.acceptance.harness import wait_until
from tests.timestamps import append, build_table, committed, put_entry, read, rows
from timestamps.consumer.consuming import consume_log
from timestamps.errors import ArchiveIsBroken, ArchiveUnavailable, LogNotOpen, Rebuilding, TimestampNotFound
from timestamps.health import lag_seconds
from timestamps.livetable import live_table
from timestamps.log import reading, recovery, stream
from timestamps.log.archiving import archive_step
from timestamps.log.lines import line_position
from timestamps.log.recovery import Recovery, _Attempt, recover_log
from timestamps.models import RecordTable
from timestamps.records.projecting import project
from timestamps.replay import proving
from timestamps.replay.replaying import replay_step
from timestamps.replay.replays import start_replay
from timestamps.services import append_timestamps
from timestamps.types import START, Position, Submission, Timestamp

pytestmark = committed

FUTURE = Position(2**43, 5)  # where a clock stood that was ahead, or is behind now
GOOD = {"event_timestamp": "2018-08-04T03:32:31Z", "correlation_id": "123e4567-e89b-12d3-a456-426614174000"}


@pytest.fixture(autouse=True)
def small_segments(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TIMESTAMPS_SEGMENT_ENTRIES = 10
    monkeypatch.setattr(recovery, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(recovery, "WAIT_SECONDS", 10.0)


def restart() -> None:
    """What the store has is as before, and its server is another."""
    valkey.truth().set(stream.prefix() + "life", "another")


def copy_of_store() -> dict[bytes, bytes]:
    return {key: bytes(valkey.truth().dump(key) or b"") for key in valkey.truth().scan_iter()}


def bring_back(copy: dict[bytes, bytes]) -> None:
    valkey.truth().flushdb()
    for key, value in copy.items():
        valkey.truth().restore(key, 0, value)
    restart()


def lose_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE timestamps_record_1")
    RecordTable.objects.update(position_ms=0, position_seq=0, last_command_id=None, records=0)


def persist_and_archive() -> None:
    consume_log()
    while archive_step():
        pass


def put_in_future() -> str:
    """An entry that was consumed at FUTURE."""
    command_id = str(uuid4())
    valkey.truth().xadd(stream.stream_key(), GOOD | {"command_id": command_id}, id=str(FUTURE))  # type: ignore[arg-type]
    consume_log()
    return command_id


def refusal() -> FloodgateError:
    [refused] = append_timestamps([Submission(["2018-08-04T03:32:31Z"], GOOD["correlation_id"])])
    assert isinstance(refused, FloodgateError)
    return refused


def lose_archive() -> None:
    shutil.rmtree(settings.ARCHIVE_URL)


@pytest.mark.parametrize("in_old_copy", [0, 5, 10, 25])
def test_what_only_the_archive_has_is_read_beside_an_older_store(in_old_copy: int) -> None:
    ids = append(in_old_copy) if in_old_copy else []
    persist_and_archive()
    copy = copy_of_store()
    ids += append(40 - in_old_copy)
    persist_and_archive()
    assert stream.length() == 0
    bring_back(copy)
    lose_database()
    consume_log()
    assert [row[0] for row in rows()] == ids
    ids += append(3)
    consume_log()
    assert [row[0] for row in rows()] == ids
    assert all(isinstance(read(command_id), Timestamp) for command_id in ids)
    assert isinstance(read(uuid4()), TimestampNotFound)
    assert stream.length() == 3


def test_ids_of_an_older_store_are_being_rebuilt_until_the_database_has_them() -> None:
    copy = copy_of_store()
    [lost, *_] = append(10)
    persist_and_archive()
    bring_back(copy)
    lose_database()
    assert isinstance(read(lost), Rebuilding)
    recover_log()
    assert isinstance(read(lost), Rebuilding)
    consume_log()
    assert isinstance(read(lost), Timestamp)


@pytest.mark.parametrize("archived", [True, False])
def test_entries_come_after_what_was_taken_although_the_clock_is_behind(archived: bool, settings: Settings) -> None:
    put_in_future()
    if archived:
        settings.TIMESTAMPS_SEGMENT_ENTRIES = 1
        persist_and_archive()
        lose_database()
    valkey.truth().flushdb()
    ids = append(3)
    consume_log()
    assert [row[0] for row in rows()][-3:] == ids
    assert live_table().position > FUTURE
    assert stream.length() == 3


def test_an_older_store_appends_after_the_archive_although_the_clock_is_behind(settings: Settings) -> None:
    settings.TIMESTAMPS_SEGMENT_ENTRIES = 1
    append(3)
    copy = copy_of_store()
    put_in_future()
    persist_and_archive()
    bring_back(copy)
    ids = append(2)
    consume_log()
    assert [row[0] for row in rows()][-2:] == ids
    assert len(rows()) == 6


def test_the_first_append_opens_a_fresh_store() -> None:
    valkey.truth().flushdb()
    lose_archive()
    assert len(append(3)) == 3
    assert stream.state().is_open


def test_nothing_is_appended_before_the_store_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    append(2)
    restart()
    monkeypatch.setattr("timestamps.services.recover_soon", lambda: False)
    assert isinstance(refusal(), LogNotOpen)
    assert stream.length() == 2


def test_readiness_tells_of_a_store_that_is_not_open() -> None:
    assert lag_seconds() == 0
    restart()
    with pytest.raises(LogNotOpen):
        lag_seconds()


def test_a_restart_changes_nothing() -> None:
    ids = append(25)
    persist_and_archive()
    ids += append(4)
    before = reading.read_after(START, 100), stream.length(), stream.low_water_mark(), stream.high_water_mark()
    restart()
    assert recover_log()
    assert not recover_log()
    assert (
        reading.read_after(START, 100),
        stream.length(),
        stream.low_water_mark(),
        stream.high_water_mark(),
    ) == before
    assert all(isinstance(read(command_id), Timestamp) for command_id in ids)


def test_who_opens_late_changes_nothing_any_more() -> None:
    """Both looked at an empty store; meanwhile the other's was appended to."""
    append(10)
    persist_and_archive()
    valkey.truth().flushdb()
    recover_log()
    ids = append(3)
    assert not stream.recover(FUTURE, FUTURE)
    consume_log()
    assert [row[0] for row in rows()][-3:] == ids


def test_missing_archive_is_not_an_empty_one() -> None:
    [lost, *_] = append(10)
    persist_and_archive()
    valkey.truth().flushdb()
    Path(settings.ARCHIVE_URL).rename(settings.ARCHIVE_URL + "-away")
    with pytest.raises(ArchiveIsBroken, match="There is no archive"):
        recover_log()
    assert isinstance(refusal(), LogNotOpen)
    lose_database()
    assert isinstance(read(lost), Rebuilding)
    assert not Path(settings.ARCHIVE_URL).exists()
    Path(settings.ARCHIVE_URL + "-away").rename(settings.ARCHIVE_URL)
    ids = append(2)
    consume_log()
    assert [row[0] for row in rows()][-2:] == ids
    assert len(rows()) == 12


def test_missing_archive_of_a_store_that_was_trimmed_keeps_it_closed() -> None:
    append(10)
    persist_and_archive()
    lose_archive()
    lose_database()
    restart()
    with pytest.raises(ArchiveIsBroken, match="the stream begins only after"):
        recover_log()


def test_archive_without_segments_opens_a_store_that_lost_what_was_never_archived() -> None:
    [kept] = append(1)
    consume_log()
    valkey.truth().flushdb()
    [later] = append(1)
    consume_log()
    assert [row[0] for row in rows()] == [kept, later]


def test_archive_that_never_had_anything_may_go() -> None:
    append(1)
    consume_log()
    lose_archive()
    restart()
    assert recover_log()


def test_segments_are_not_begun_in_a_folder_that_is_not_the_archive() -> None:
    append(10)
    consume_log()
    lose_archive()
    with pytest.raises(ArchiveIsBroken, match="no archive at ARCHIVE_URL"):
        archive_step()
    assert not Path(settings.ARCHIVE_URL).exists()


@pytest.fixture
def database_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError("gone")

    for name in ("lock_tables", "live_position"):
        monkeypatch.setattr(recovery, name, fail)


def test_a_restart_needs_no_database(database_away: None) -> None:
    append(3)
    restart()
    assert len(append(3)) == 3


def test_a_store_that_lost_something_waits_for_the_database(database_away: None) -> None:
    append(3)
    valkey.truth().flushdb()
    assert isinstance(refusal(), LogNotOpen)
    assert stream.length() == 0


def is_waited_for() -> bool:
    """This transaction, by another."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid")
        return bool(cursor.rowcount)


def test_a_consumer_that_read_the_store_before_is_waited_for() -> None:
    """Or it would commit a position that new entries come before."""
    append(1)
    valkey.truth().flushdb()
    with transaction.atomic():
        RecordTable.objects.update(position_ms=FUTURE.ms, position_seq=FUTURE.seq)
        attempt = _Attempt()
        attempt.start()
        wait_until(is_waited_for, "recovery", 10)
    attempt.join()
    assert attempt.has_recovered
    assert stream.state().last == FUTURE


def closing(work: Callable[[], object]) -> object:
    """For threads: what ``work`` answers, without leaving a connection open."""
    try:
        return work()
    finally:
        connections.close_all()


def test_counting_for_a_proof_does_not_hold_recovery_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large table it takes minutes."""
    append(10)
    consume_log()
    start_replay("again")
    counting, opened = threading.Event(), threading.Event()

    def count(*_: object) -> tuple[int, int]:
        counting.set()
        opened.wait(30)
        return 10, 0

    monkeypatch.setattr(proving, "_count", count)
    with ThreadPoolExecutor(1) as pool:
        proof = pool.submit(closing, replay_step)
        assert counting.wait(30)
        valkey.truth().flushdb()
        attempt = _Attempt()
        attempt.start()
        attempt.join(20)
        opened.set()
        proof.result()
    assert attempt.has_recovered


def test_consumer_and_replay_open_without_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    append(10)
    persist_and_archive()
    build_table(2)
    valkey.truth().flushdb()
    both = threading.Barrier(2)
    read = reading.read_stream_after

    def read_together(position: Position, limit: int) -> list[bytes] | None:
        with suppress(threading.BrokenBarrierError):
            both.wait(1)  # less than lock_timeout: the other may wait for the lock that is held here
        return read(position, limit)

    monkeypatch.setattr(reading, "read_stream_after", read_together)
    with ThreadPoolExecutor(2) as pool:
        taken = [pool.submit(closing, partial(project, number)) for number in (1, 2)]
    assert [one.result() for one in taken] == [0, 10]


def test_reading_goes_on_where_another_opened_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    append(3)
    last = line_position(reading.read_after(START, 10)[-1])
    restart()
    found = stream.read_after

    def read_then_open(position: Position, limit: int) -> list[bytes] | None:
        lines = found(position, limit)
        recover_log()
        return lines

    monkeypatch.setattr(stream, "read_after", read_then_open)
    assert reading.read_after(last, 10) == []


def test_nobody_is_woken_for_what_was_not_appended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would look at the archive that does not answer."""
    woken: list[bool] = []
    monkeypatch.setattr("timestamps.services.wake_consumer", lambda: woken.append(True))
    monkeypatch.setattr("timestamps.services.recover_soon", lambda: False)
    restart()
    assert isinstance(refusal(), LogNotOpen)
    assert woken == []
    recover_log()
    append(1)
    assert woken == [True]


def test_dead_letters_are_read_beside_a_store_that_came_back_empty() -> None:
    dead = uuid4()
    put_entry(GOOD | {"command_id": str(dead), "event_timestamp": "2018-02-30T00:00:00Z"})
    consume_log()
    valkey.truth().flushdb()
    assert isinstance(read(dead), Timestamp)
    recover_log()
    assert isinstance(read(dead), Timestamp)


def test_dead_letters_are_read_beside_an_older_store_that_goes_as_far_as_the_archive() -> None:
    append(10)
    persist_and_archive()
    append(2)
    copy = copy_of_store()
    dead = uuid4()
    put_entry(GOOD | {"command_id": str(dead), "event_timestamp": "2018-02-30T00:00:00Z"})
    consume_log()
    bring_back(copy)
    recover_log()
    assert isinstance(read(dead), Timestamp)
    assert isinstance(read(uuid4()), TimestampNotFound)


def test_archive_that_does_not_answer_holds_up_one_append_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    def hang() -> None:
        answers.wait(10)
        raise ArchiveUnavailable

    monkeypatch.setattr(recovery, "recover_log", hang)
    monkeypatch.setattr(recovery, "WAIT_SECONDS", 0.01)
    of_process = Recovery()
    assert not of_process.recover_soon()
    attempt = of_process._attempt
    assert not of_process.recover_soon()
    assert of_process._attempt is attempt is not None
    answers.set()
    attempt.join()
    monkeypatch.setattr(recovery, "recover_log", lambda: True)
    monkeypatch.setattr(recovery, "WAIT_SECONDS", 5)
    assert of_process.recover_soon()


def test_attempts_that_fail_are_not_repeated_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ArchiveUnavailable

    monkeypatch.setattr(recovery, "recover_log", fail)
    monkeypatch.setattr(recovery, "PAUSE_SECONDS", 60)
    of_process = Recovery()
    assert not of_process.recover_soon()
    attempt = of_process._attempt
    assert not of_process.recover_soon()
    assert of_process._attempt is attempt


def test_a_store_that_is_not_open_is_not_trimmed() -> None:
    append(3)
    before = stream.low_water_mark()
    restart()
    stream.trim(FUTURE)
    assert (stream.low_water_mark(), stream.length()) == (before, 3)
