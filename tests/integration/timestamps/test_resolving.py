"""Dead letters whose ids became records in another way than by a retry wait no longer, and are read throughout."""

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from common.stores import valkey
from jobs.running import run
from tests.timestamps import append, committed, read
from timestamps import jobs
from timestamps.consumer.consuming import consume_log
from timestamps.errors import NoLiveTable
from timestamps.livetable import live_table
from timestamps.log import stream
from timestamps.models import DeadLetter, DeadLetterState, RecordTable
from timestamps.records import resolving
from timestamps.records.projecting import project
from timestamps.records.resolving import resolve_dead_letters, retry_dead_letters
from timestamps.replay import replaying
from timestamps.replay.proving import counts_are_proved
from timestamps.replay.replaying import replay_step
from timestamps.replay.replays import cancel_replay, running_replay, start_replay
from timestamps.types import START, Timestamp

pytestmark = committed


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def refuse(number: int) -> None:
    """The table takes no instant at the fourth second."""
    check = "CHECK (extract(second FROM event_timestamp) <> 3)"
    sql(f"ALTER TABLE timestamps_record_{number} ADD CONSTRAINT refusing {check}")


def accept(number: int) -> None:
    sql(f"ALTER TABLE IF EXISTS timestamps_record_{number} DROP CONSTRAINT IF EXISTS refusing")


@pytest.fixture
def refused() -> Iterator[UUID]:
    """Of five entries the one that the live table refuses."""
    refuse(1)
    ids = append(5)
    consume_log()
    yield ids[3]
    accept(1)


def clean_up() -> None:
    run(jobs.CLEAN_UP)
    run(jobs.RESOLVE)


def replay_all() -> None:
    while replay_step():
        pass


def state() -> str:
    return DeadLetter.objects.get().state


def is_a_record(command_id: UUID) -> bool:
    answer = read(command_id)
    assert isinstance(answer, Timestamp)
    return answer.created_at is not None


def everyone_knows_that_it_is_a_record(command_id: UUID) -> bool:
    return (state(), is_a_record(command_id)) == (DeadLetterState.RETRIED, True)


def everyone_knows_that_it_waits(command_id: UUID) -> bool:
    return (state(), is_a_record(command_id)) == (DeadLetterState.WAITING, False)


def test_a_letter_that_the_table_of_a_replay_takes_waits_until_the_switch(refused: UUID) -> None:
    start_replay("again")
    assert everyone_knows_that_it_waits(refused)
    replay_all()
    assert everyone_knows_that_it_is_a_record(refused)
    assert live_table().records == 5


def test_a_letter_waits_on_when_the_replay_that_took_it_is_cancelled(
    refused: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_replay("again")
    monkeypatch.setattr(replaying, "switch", cancel_replay)
    replay_all()
    clean_up()
    assert everyone_knows_that_it_waits(refused)


def test_a_letter_that_only_a_cancelled_replay_refused_waits_no_longer() -> None:
    ids = append(5)
    consume_log()
    start_replay("again")
    refuse(2)
    while running_replay():
        project(2)
        assert (resolve_dead_letters(), state()) == (0, DeadLetterState.WAITING)
        cancel_replay(2)
    clean_up()
    assert everyone_knows_that_it_is_a_record(ids[3])


def test_a_letter_that_the_live_table_takes_from_the_log_again_waits_no_longer(refused: UUID) -> None:
    accept(1)
    sql("TRUNCATE timestamps_record_1")
    RecordTable.objects.update(position_ms=0, position_seq=0, last_command_id=None, records=0)
    consume_log()
    clean_up()
    assert everyone_knows_that_it_is_a_record(refused)


def test_a_letter_waits_for_a_live_table_that_has_yet_to_pass_it(refused: UUID) -> None:
    accept(1)
    sql("TRUNCATE timestamps_record_1")
    RecordTable.objects.update(position_ms=0, position_seq=0, last_command_id=None, records=0)
    assert retry_dead_letters() == (0, 1)
    assert everyone_knows_that_it_waits(refused)


def test_resolving_that_died_is_done_by_the_next(refused: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    accept(1)

    with monkeypatch.context() as patch:
        patch.setattr(resolving, "_resolve", lambda _: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            retry_dead_letters()
    assert state() == DeadLetterState.WAITING
    assert is_a_record(refused)
    clean_up()
    assert everyone_knows_that_it_is_a_record(refused)


def test_a_retry_after_the_table_of_a_replay_took_it_leaves_the_counts_right(
    refused: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_replay("again")

    def retry_before(number: int) -> bool:
        accept(1)
        retry_dead_letters()
        return counts_are_proved(number)

    monkeypatch.setattr(replaying, "counts_are_proved", retry_before)
    replay_all()
    assert (live_table().number, live_table().records) == (2, 5)
    assert everyone_knows_that_it_is_a_record(refused)


@pytest.mark.parametrize("is_accepted", [False, True])
def test_a_retry_while_records_are_copied_leaves_both_tables_the_same(
    refused: UUID, is_accepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_replay("late", live_table().position)
    copied = replaying.copy_slice

    def retry_then_copy(number: int) -> None:
        if is_accepted:
            accept(1)
        assert retry_dead_letters() == ((1, 0) if is_accepted else (0, 1))
        copied(number)
        monkeypatch.undo()

    monkeypatch.setattr(replaying, "copy_slice", retry_then_copy)
    replay_all()
    assert (live_table().number, live_table().records) == (2, 4 + is_accepted)
    assert everyone_knows_that_it_is_a_record(refused) if is_accepted else everyone_knows_that_it_waits(refused)


def test_a_dead_letter_does_not_hide_that_the_log_lost_an_entry(refused: UUID) -> None:
    valkey.truth().xdel(stream.stream_key(), str(stream.oldest_after(START)))
    start_replay("again")
    replay_all()
    assert live_table().number == 1
    assert "The replay gives 3 records only; the live table took 4" in RecordTable.objects.get(pk=2).error


# Somebody deleted the row of the live table


@pytest.fixture
def no_live_row(refused: UUID) -> None:
    RecordTable.objects.all().delete()


@pytest.mark.parametrize(
    "command",
    [
        ["replay_timestamps"],
        ["replay_timestamps", "--dry-run"],
        ["replay_timestamps", "--from-time", "2018-01-01T00:00:00Z"],
        ["retry_dead_letters"],
    ],
)
def test_commands_say_that_no_table_is_live(no_live_row: None, command: list[str]) -> None:
    with pytest.raises(CommandError, match="No table of records is live"):
        call_command(*command)


def test_cancelling_needs_no_live_table(refused: UUID, capsys: pytest.CaptureFixture[str]) -> None:
    start_replay("again")
    RecordTable.objects.filter(pk=1).delete()
    call_command("replay_timestamps", "--cancel")
    assert capsys.readouterr().out == "replay 'again' is cancelled; readers stay with the live table\n"
    assert running_replay() is None


def test_letters_wait_for_the_table_that_is_begun_again(refused: UUID) -> None:
    RecordTable.objects.all().delete()
    with pytest.raises(NoLiveTable):
        retry_dead_letters()
    clean_up()
    assert state() == DeadLetterState.WAITING
    consume_log()
    clean_up()
    assert everyone_knows_that_it_is_a_record(refused)


def test_a_replay_waits_until_a_table_is_live_again(refused: UUID) -> None:
    start_replay("again")
    RecordTable.objects.filter(pk=1).delete()
    replay_all()
    assert "No table of records is live" in RecordTable.objects.get(pk=2).error
    consume_log()
    replay_all()
    assert (live_table().number, live_table().name, live_table().records) == (2, "again", 5)


@pytest.mark.parametrize("step", ["copy_slice", "counts_are_proved"])
def test_nothing_is_copied_from_a_table_that_was_begun_again(
    refused: UUID, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_replay("late", live_table().position)
    original: Callable[[int], object] = getattr(replaying, step)

    def begin_again_then(number: int) -> object:
        RecordTable.objects.filter(pk=1).delete()
        RecordTable.objects.create(number=7, state="live")
        sql("ALTER TABLE timestamps_record_1 RENAME TO timestamps_record_7")
        return original(number)

    monkeypatch.setattr(replaying, step, begin_again_then)
    replay_all()
    assert live_table().number == 7
    assert "it was begun again" in RecordTable.objects.get(pk=2).error


def test_the_command_says_that_the_row_of_its_replay_is_gone(refused: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_row(_: float) -> bool:
        RecordTable.objects.filter(pk=2).delete()
        return True

    monkeypatch.setattr("timestamps.management.commands.replay_timestamps.replay_step", lose_row)
    with pytest.raises(CommandError, match="deleted the row of this replay"):
        call_command("replay_timestamps")
