"""Tables built beside the live one: whole, proved, switched, and never in anybody's way."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import count as numbers_from
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.utils import timezone
from pytest_django import Settings
from rich.progress import Progress, TaskID

from common.stores import valkey
from common.stores.lockkeys import LockKey
from tests.acceptance.harness import wait_until
from tests.counters import side_by_side
from tests.timestamps import append, committed, put_entry, read, rows
from timestamps.consumer.consuming import consume_log
from timestamps.errors import Rebuilding, ReplayRefused, TimestampNotFound
from timestamps.livetable import live_table
from timestamps.locks import consumer_lease, replay_lease
from timestamps.log import archive, reading, stream
from timestamps.log.archiving import archive_step
from timestamps.management.commands import replay_timestamps
from timestamps.models import DeadLetter, RecordTable, TableState
from timestamps.records import projecting
from timestamps.replay import replaying
from timestamps.replay.replaying import replay_step
from timestamps.replay.replays import cancel_replay, drop_retired_tables, running_replay, start_replay
from timestamps.tables import record_table
from timestamps.types import START, Position, Timestamp

pytestmark = committed


class Died(BaseException):
    """As if the process had been killed there."""


@pytest.fixture(autouse=True)
def small_steps(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TIMESTAMPS_SEGMENT_ENTRIES = 10
    monkeypatch.setattr(replaying, "COPY_RECORDS", 7)
    for module in (projecting, replaying):
        monkeypatch.setattr(module, "STEP_ENTRIES", 6)
    monkeypatch.setattr("timestamps.consumer.consuming.STEP_ENTRIES", 6)


def persist(count: int) -> list[UUID]:
    """This many records, most of whose entries have left the stream."""
    ids = append(count)
    consume_log()
    while archive_step():
        pass
    return ids


def replay_all() -> None:
    while replay_step():
        pass


def live_rows() -> list[tuple[UUID, str, UUID]]:
    return rows(live_table().number)


def truncate() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {record_table(live_table().number)}")


def table_exists(number: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [record_table(number)])
        return bool(cursor.fetchone()[0])


def test_replay_builds_the_same_records_from_archive_and_stream() -> None:
    persist(47)
    append(5)
    consume_log()
    before = live_rows()
    assert stream.length() == 12
    start_replay("again")
    replay_all()
    assert live_table().number == 2
    assert live_rows() == before
    assert len(before) == 52
    assert RecordTable.objects.get(pk=1).state == TableState.RETIRED


def test_entries_that_come_meanwhile_are_in_both_tables() -> None:
    persist(20)
    start_replay("again")
    assert replay_step(0)  # one step of several
    append(9)
    consume_log()
    replay_all()
    append(3)
    consume_log()
    assert len(live_rows()) == 32
    assert len(rows(1)) == 29
    assert stream.high_water_mark() == live_table().position


@pytest.mark.parametrize("at", [0, 1, 9, 10, 25, 46])
def test_replay_from_a_position_copies_what_is_before(at: int) -> None:
    persist(47)
    with connection.cursor() as cursor:
        cursor.execute("SELECT position_ms, position_seq FROM timestamps_record_1 ORDER BY 1, 2 OFFSET %s", [at])
        after = Position(*cursor.fetchone())
        cursor.execute("UPDATE timestamps_record_1 SET created_at = '2001-01-01Z'")
    before = live_rows()
    start_replay("late", after)
    replay_all()
    assert (live_table().number, live_rows()) == (2, before)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM timestamps_record_2 WHERE created_at = '2001-01-01Z'")
        assert cursor.fetchone()[0] == at + 1


def test_replay_from_beyond_the_live_table_is_refused() -> None:
    persist(3)
    with pytest.raises(ReplayRefused, match="nothing can be copied beyond"):
        start_replay("late", Position(2**50, 0))


def steps_of_replay(visit: Callable[[str], None]) -> pytest.MonkeyPatch:
    """``visit`` is called before and after each step that leaves something behind."""
    patch = pytest.MonkeyPatch()
    for name in ("copy_slice", "project", "counts_are_proved", "_change_over"):
        original = getattr(replaying, name)

        def watched(*arguments: object, original: Callable[..., object] = original, name: str = name) -> object:
            visit(f"before {name}")
            answer = original(*arguments)
            visit(f"after {name}")
            return answer

        patch.setattr(replaying, name, watched)
    return patch


def replay_as_far_as(stop: int) -> str:
    """Die at that step; its name, or nothing when the replay has ended before."""
    steps = iter(numbers_from())

    def visit(name: str) -> None:
        if next(steps) == stop:
            raise Died(name)

    patch = steps_of_replay(visit)
    try:
        replay_all()
    except Died as died:
        return str(died)
    finally:
        patch.undo()
    return ""


@pytest.mark.parametrize("copied", [0, 15])
def test_replay_that_dies_at_any_step_is_finished_by_the_next(copied: int) -> None:
    persist(30)
    append(4)
    consume_log()
    before = live_rows()
    with connection.cursor() as cursor:
        cursor.execute("SELECT position_ms, position_seq FROM timestamps_record_1 ORDER BY 1, 2 OFFSET %s", [copied])
        after = Position(*cursor.fetchone()) if copied else START
    for stop in numbers_from():
        start_replay("again", after)
        step = replay_as_far_as(stop)
        replay_all()
        assert live_rows() == before, f"after a death at step {stop}, {step}"
        assert stream.high_water_mark() == live_table().position
        if not step:
            break
    assert stop > 10


def test_second_replayer_does_nothing() -> None:
    persist(20)
    start_replay("again")
    with replay_lease() as is_mine:
        assert is_mine
        assert side_by_side(replay_step) == [False]
    assert running_replay() is not None


def test_consumer_is_waited_for_before_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    persist(5)
    start_replay("again")
    monkeypatch.setattr(replaying, "HOLD_UP_SECONDS", 0.1)
    with consumer_lease() as is_mine:
        assert is_mine
        side_by_side(lambda: replay_step(0.01))
        assert live_table().number == 1
    replay_all()
    assert live_table().number == 2


def test_switch_is_next_after_the_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load others always want to consume."""
    persist(5)
    start_replay("again")
    tried = threading.Event()
    monkeypatch.setattr(replaying, "_change_over", lambda number: tried.wait(30))

    def consume() -> None:
        with consumer_lease() as is_mine:
            assert is_mine
            begun.set()
            wait_until(lease_is_waited_for, "switch", 20)
        with consumer_lease() as is_mine:
            tried.set()
            assert not is_mine

    def replay() -> None:
        assert begun.wait(20)
        assert replaying.switch(2)

    begun = threading.Event()
    side_by_side(consume, replay)


def lease_is_waited_for() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND classid = %s", [LockKey.CONSUMER]
        )
        return bool(cursor.rowcount)


def test_counts_that_do_not_match_keep_the_live_table(monkeypatch: pytest.MonkeyPatch) -> None:
    persist(25)
    before = live_rows()
    start_replay("again")
    replay_step(0)
    step = projecting.project

    def lose_one(number: int) -> int:
        taken = step(number)
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {record_table(number)} WHERE command_id = (SELECT command_id FROM {record_table(number)}"
                " ORDER BY command_id LIMIT 1)"
            )
        return taken

    monkeypatch.setattr(replaying, "project", lose_one)
    replay_all()
    table = RecordTable.objects.get(pk=2)
    assert (table.state, live_rows()) == (TableState.RETIRED, before)
    assert "The counts do not match" in table.error


def records_then_repeats() -> tuple[list[UUID], Position]:
    """Three records with their position, and after it two repeats of the first and three records more."""
    ids = append(3)
    consume_log()
    beginning = live_table().position
    for _ in range(2):
        put_entry({"command_id": str(ids[0]), "event_timestamp": "2018-01-01T00:00:00Z", "correlation_id": str(ids[0])})
    ids += append(3)
    consume_log()
    return ids, beginning


def test_a_copy_that_lacks_a_record_is_missed_where_the_log_has_repeats() -> None:
    ids, beginning = records_then_repeats()
    start_replay("late", beginning)
    while not RecordTable.objects.get(pk=2).is_copied:
        replaying.copy_slice(2)
    RecordTable.objects.filter(pk=2).update(records=2, last_command_id=ids[0])
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM timestamps_record_2 WHERE command_id = %s", [ids[1]])
    replay_all()
    assert live_table().number == 1
    assert "2 records copied of 3" in RecordTable.objects.get(pk=2).error


def test_an_entry_that_is_not_read_is_missed_where_the_log_has_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, beginning = records_then_repeats()
    start_replay("late", beginning)
    read_after = reading.read_after

    def lose_one(position: Position, limit: int) -> list[bytes]:
        return [line for line in read_after(position, limit) if str(ids[4]).encode() not in line]

    monkeypatch.setattr(reading, "read_after", lose_one)
    replay_all()
    assert live_table().number == 1
    assert "4 entries taken of 5 in the log" in RecordTable.objects.get(pk=2).error


def test_dead_letters_and_repeats_are_counted_too() -> None:
    ids = append(3)
    put_entry({"command_id": "no id"})
    put_entry({"command_id": str(ids[0]), "event_timestamp": "2018-01-01T00:00:00Z", "correlation_id": str(ids[0])})
    append(2)
    consume_log()
    before = live_rows()
    assert (len(before), DeadLetter.objects.count()) == (5, 1)
    start_replay("again")
    replay_all()
    assert (live_table().number, live_rows()) == (2, before)
    start_replay("late", live_table().position)
    replay_all()
    assert (live_table().number, live_rows()) == (3, before)


def test_emptied_live_table_is_rebuilt_without_being_asked() -> None:
    ids = persist(47)
    before = live_rows()
    truncate()
    more = append(4)
    consume_log()
    running = running_replay()
    assert running is not None
    assert running.name == "rebuild"
    assert not any(isinstance(read(command_id), TimestampNotFound) for command_id in ids)
    assert all(isinstance(read(command_id), Timestamp) for command_id in more)
    replay_all()
    consume_log()
    assert live_rows()[:47] == before
    assert all(isinstance(read(command_id), Timestamp) for command_id in [*ids, *more])


def test_emptied_live_table_stops_a_replay_that_copies_it() -> None:
    persist(47)
    before = live_rows()
    start_replay("late", live_table().position)
    truncate()
    append(1)
    consume_log()
    replay_all()
    assert (live_table().name, live_rows()[:47]) == ("rebuild", before)


def test_rebuild_that_was_cancelled_is_not_begun_again_at_once() -> None:
    persist(5)
    truncate()
    append(1)
    consume_log()
    cancel_replay(2)
    consume_log()
    assert running_replay() is None
    RecordTable.objects.filter(pk=2).update(retired_at=timezone.now() - timedelta(minutes=11))
    assert drop_retired_tables() == [2]
    consume_log()
    assert running_replay() is not None


def test_lost_live_table_is_rebuilt() -> None:
    persist(20)
    before = live_rows()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE timestamps_record_1")
    consume_log()
    replay_all()
    assert live_rows() == before


def test_database_that_lost_everything_is_filled_by_the_consumer_alone() -> None:
    ids = persist(47)
    before = live_rows()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE timestamps_record_1")
    RecordTable.objects.filter(pk=1).update(position_ms=0, position_seq=0, records=0, last_command_id=None)
    while consume_log():
        pass
    assert live_rows() == before
    assert all(isinstance(read(command_id), Timestamp) for command_id in ids)


def test_ids_are_rebuilt_and_not_unknown_when_both_stores_are_lost() -> None:
    ids = persist(20)
    before = live_rows()
    valkey.truth().flushdb()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE timestamps_record_1")
    RecordTable.objects.filter(pk=1).update(position_ms=0, position_seq=0, records=0, last_command_id=None)
    assert archive_step() is False  # whoever looks at the log first
    assert all(isinstance(read(command_id), Rebuilding) for command_id in ids)
    while consume_log():
        pass
    assert live_rows() == before


def test_broken_archive_holds_a_replay_up_and_says_why() -> None:
    persist(20)
    archive_ = archive.current()
    segment = archive_.store.read(archive_.manifest(1).segment)
    archive_.store.write(archive_.manifest(1).segment, b"?")
    archive_._open = ("", [])
    start_replay("again")
    assert not replay_step()
    assert archive_.manifest(1).segment in RecordTable.objects.get(pk=2).error
    archive_.store.write(archive_.manifest(1).segment, segment)
    replay_all()
    assert live_table().number == 2


def test_retired_tables_are_dropped_ten_minutes_later_and_others_stay() -> None:
    persist(5)
    start_replay("again")
    replay_all()
    assert drop_retired_tables() == []
    RecordTable.objects.filter(pk=1).update(retired_at=timezone.now() - timedelta(minutes=11))
    assert drop_retired_tables() == [1]
    assert (table_exists(1), table_exists(2)) == (False, True)
    assert RecordTable.objects.get(pk=1).state == TableState.DROPPED


def test_retired_table_that_is_read_is_dropped_the_next_time() -> None:
    persist(5)
    start_replay("again")
    replay_all()
    RecordTable.objects.filter(pk=1).update(retired_at=timezone.now() - timedelta(minutes=11))

    def drop_without_patience() -> list[int]:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        return drop_retired_tables()

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT FROM timestamps_record_1")
        assert side_by_side(drop_without_patience) == [[]]
    assert drop_retired_tables() == [1]


# The operator's door


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(*arguments: str) -> str:
        call_command("replay_timestamps", *arguments)
        return capsys.readouterr().out

    return run


def test_command_replays_and_says_so(said: Callable[..., str]) -> None:
    persist(12)
    assert said() == "table 2 is live, with 12 records\n"


def test_command_from_a_time_copies_what_was_appended_before(said: Callable[..., str]) -> None:
    persist(12)
    assert said("--from-time", "2999-01-01T00:00:00Z", "--dry-run").startswith("the log has 12 entries")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE timestamps_record_1 SET created_at = '2001-01-01Z'")
    position = str(live_table().position)
    assert said("--from-position", position, "--group", "late") == "table 2 is live, with 12 records\n"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM timestamps_record_2 WHERE created_at = '2001-01-01Z'")
        assert cursor.fetchone()[0] == 11
    assert said("--from-time", "1999-01-01t00:00:00+05:00") == "table 3 is live, with 12 records\n"


def test_dry_run_changes_nothing(said: Callable[..., str]) -> None:
    persist(12)
    assert "all would be replayed, from the log's beginning" in said("--dry-run")
    assert "entries from 99-0 on would be replayed, records before copied" in said("--from-position=99-0", "--dry-run")
    first = "entries from 1514764800000-0 on would be replayed"
    assert first in said("--from-time=2018-01-01T00:00:00Z", "--dry-run")
    assert RecordTable.objects.count() == 1


def test_dry_run_of_an_empty_log_names_no_position(said: Callable[..., str]) -> None:
    assert "table 1 is live, with 0 records, at the log's beginning" in said("--dry-run")


def test_no_line_of_log_stands_between_the_bar_and_the_answer(
    said: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    persist(12)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        said()
    assert [record for record in caplog.records if record.name.startswith("timestamps")] == []
    append(1)
    consume_log()
    assert "records_written" in caplog.messages


def test_the_bar_ends_at_the_end(said: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    persist(12)
    shown: list[tuple[float, float | None]] = []

    def show(bar: Progress, task: TaskID, table: RecordTable, before: int) -> None:
        update(bar, task, table, before)
        shown.append((bar.tasks[task].completed, bar.tasks[task].total))

    update = replay_timestamps._show
    monkeypatch.setattr(replay_timestamps, "_show", show)
    for arguments in ([], ["--from-position", str(live_table().position)]):
        said(*arguments)
        assert shown[-1] == (12, 12)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from-time", "yesterday"], "--from-time: Must be a date-time"),
        (["--from-position", "x"], "must look like"),
        (["--from-position", "5-99999999999999999999"], "must look like"),
        (["--cancel"], "No replay is running"),
        (["--from-time", "2999-01-01T00:00:00Z"], "nothing can be copied beyond"),
    ],
)
def test_command_says_what_is_wrong(said: Callable[..., str], arguments: list[str], says: str) -> None:
    persist(3)
    with pytest.raises(CommandError, match=says):
        said(*arguments)


def test_command_refuses_a_second_replay_and_cancels_the_first(said: Callable[..., str]) -> None:
    persist(3)
    start_replay("one")
    with pytest.raises(CommandError, match="'one' is running"):
        said("--group", "two")
    assert said("--cancel") == "replay 'one' is cancelled; readers stay with the live table\n"
    with pytest.raises(ReplayRefused, match="nothing to cancel"):
        cancel_replay(2)
    assert said("--group", "two") == "table 3 is live, with 3 records\n"


def test_interrupted_command_leaves_the_replay_to_the_workers(
    said: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    persist(12)

    def interrupted(number: int) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(replaying, "project", interrupted)
        with pytest.raises(CommandError, match="goes on in the workers") as stopped:
            said()
    assert stopped.value.returncode == 130
    assert said() == "table 2 is live, with 12 records\n"


def test_log_that_lost_entries_never_replaces_a_table_that_has_them() -> None:
    ids = persist(25)
    valkey.truth().flushdb()
    ids += append(3)
    consume_log()
    start_replay("again")
    replay_all()
    assert live_table().number == 1
    assert "The replay gives 23 records only" in RecordTable.objects.get(pk=2).error
    assert all(isinstance(read(command_id), Timestamp) for command_id in ids)


def test_log_that_ends_before_the_live_table_ends_the_replay() -> None:
    append(5)
    consume_log()
    valkey.truth().flushdb()
    start_replay("again")
    replay_all()
    assert running_replay() is None
    assert "before the live table" in RecordTable.objects.get(pk=2).error


def test_what_is_left_of_a_log_replaces_a_table_that_was_emptied() -> None:
    ids = persist(25)
    valkey.truth().flushdb()
    truncate()
    consume_log()
    replay_all()
    assert live_table().number == 2
    assert [row[0] for row in live_rows()] == ids[:20]


def we_are_waited_for() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid)"
        )
        return bool(cursor.fetchone()[0])


def test_two_who_begin_a_replay_at_once_begin_one() -> None:
    append(3)
    answers: list[object] = []

    def begin() -> None:
        try:
            start_replay("mine")
        except ReplayRefused as error:
            answers.append(error.detail)
        finally:
            connections.close_all()

    with transaction.atomic():
        start_replay("theirs")
        other = threading.Thread(target=begin)
        other.start()
        wait_until(we_are_waited_for, "the other", 10)
    other.join()
    assert answers == ["Replay 'theirs' is running (table 2); cancel it first."]
