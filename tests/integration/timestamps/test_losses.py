"""Going on without segments that are lost for good: what is accepted is named, and nothing else goes with it."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from common.stores import valkey
from tests.timestamps import append, committed, entries, read, rows
from timestamps.consumer.consuming import consume_log
from timestamps.errors import ArchiveIsBroken, TimestampNotFound
from timestamps.livetable import live_table
from timestamps.log import archive, losses, reading, stream
from timestamps.log.archivestore import ArchiveStore
from timestamps.log.archiving import archive_step
from timestamps.log.losses import plan_repair, repair
from timestamps.log.verifying import verify_log
from timestamps.models import RecordTable, TableState
from timestamps.replay.replaying import replay_step
from timestamps.replay.replays import start_replay
from timestamps.types import START, Timestamp

pytestmark = committed


@pytest.fixture
def ids(settings: Settings) -> list[UUID]:
    """Four segments of 10 that have left the stream, and 5 entries in it."""
    settings.TIMESTAMPS_SEGMENT_ENTRIES = 10
    ids = append(45)
    persist_and_archive()
    return ids


def persist_and_archive() -> None:
    consume_log()
    while archive_step():
        pass


def lose(*numbers: int, ending: str = "") -> None:
    """Their manifests and segments, or one of both."""
    for number in numbers:
        for path in Path(settings.ARCHIVE_URL).glob(f"{number:012d}*{ending}"):
            path.unlink()
    archive._archive_at.cache_clear()


def lose_all() -> None:
    shutil.rmtree(settings.ARCHIVE_URL)
    archive._archive_at.cache_clear()


def lose_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE timestamps_record_1")
    RecordTable.objects.update(position_ms=0, position_seq=0, last_command_id=None, records=0)


def restart() -> None:
    valkey.truth().set(stream.prefix() + "life", "another")


def accept() -> None:
    call_command("accept_archive_loss", "--yes")


def lost_entries() -> list[tuple[int, int]]:
    """Number and entries of each loss; all else is proved."""
    verdict = verify_log()
    assert verdict.problems == []
    return [(loss.number, loss.entries) for loss in verdict.losses]


@pytest.mark.parametrize(
    ("loses", "lost", "kept"),
    [
        (lambda: lose(1, ending=".zst"), [(1, 10)], slice(10, None)),
        (lambda: lose(1), [(1, 10)], slice(10, None)),
        (lambda: lose(1, 2, ending=".zst"), [(1, 10), (2, 10)], slice(20, None)),
        (lambda: lose(1, 2), [(1, 0), (2, 20)], slice(20, None)),
        (lambda: lose(3, 4), [(3, 20)], slice(0, 20)),
        (lambda: lose(4), [(4, 10)], slice(0, 30)),
        (lose_all, [(1, 40)], slice(40, None)),
    ],
)
@pytest.mark.parametrize("restarts", [False, True])
def test_what_is_not_lost_is_archived_and_rebuilt(
    ids: list[UUID], loses: Callable[[], object], lost: list[tuple[int, int]], kept: slice, restarts: bool
) -> None:
    loses()
    if restarts:
        restart()
    accept()
    assert lost_entries() == lost
    later = append(10)
    lose_database()
    persist_and_archive()
    expected = ids[kept] + ids[40:] * (kept.stop is not None) + later
    assert [row[0] for row in rows()] == expected
    assert archive.current().newest().total_entries == 50
    assert lost_entries() == lost
    gone = set(ids) - set(expected)
    assert all(isinstance(read(command_id), TimestampNotFound) for command_id in gone)


def test_loss_is_told_and_nothing_is_done_without_consent(ids: list[UUID], capsys: pytest.CaptureFixture[str]) -> None:
    lost = archive.current().manifest(2)
    lose(2, ending=".zst")
    with pytest.raises(CommandError, match="accept it with --yes"):
        call_command("accept_archive_loss")
    said = f"segment 2 with 10 entries from {lost.first} through {lost.last}"
    copied = f"  replay_timestamps --from-position {lost.last.after()} copies those\n"
    assert capsys.readouterr().out == f"lost: {said}; the database has 10 of them\n{copied}"
    assert len(verify_log().problems) == 1
    accept()
    call_command("verify_log")
    assert f"accepted as lost: {said}\nThe log is whole but for that: 4 segments" in capsys.readouterr().out


def test_whole_archive_has_nothing_to_accept(ids: list[UUID], capsys: pytest.CaptureFixture[str]) -> None:
    call_command("accept_archive_loss")
    assert capsys.readouterr().out == "nothing is lost\n"


@pytest.mark.parametrize("numbers", [[2], [4], [2, 3], [3, 4]])
def test_manifests_of_whole_segments_are_made_again(ids: list[UUID], numbers: list[int]) -> None:
    store = archive.current().store
    before = {name: store.read(name) for name in store.names()}
    lose(*numbers, ending=".json")
    accept()
    assert {name: store.read(name) for name in store.names()} == before


@pytest.mark.parametrize("number", [1, 2, 4])
def test_manifest_that_is_not_chained_is_made_again(ids: list[UUID], number: int) -> None:
    store = archive.current().store
    before = {name: store.read(name) for name in store.names()}
    manifest = archive.current().manifest(number)
    store.write(f"{number:012d}.json", manifest._replace(previous_sha256="f" * 64).dump())
    accept()
    assert {name: store.read(name) for name in store.names()} == before


def test_manifest_that_is_made_again_after_a_loss_is_chained(ids: list[UUID]) -> None:
    lose(1, ending=".zst")
    lose(2, ending=".json")
    accept()
    assert lost_entries() == [(1, 10)]


def test_files_that_turn_up_again_are_read_by_processes_that_know_of_the_loss(ids: list[UUID]) -> None:
    store = archive.current().store
    kept = {name: store.read(name) for name in store.names() if name.startswith("000000000002")}
    lose(2)
    accept()
    assert len(reading.read_after(START, 100)) == 35
    for name, content in kept.items():
        store.write(name, content)
    assert [UUID(entry.fields["command_id"]) for entry in entries(reading.read_after(START, 100))] == ids


def test_segment_that_the_stream_still_has_is_archived_again(ids: list[UUID]) -> None:
    ids += append(25)
    while archive_step():
        pass
    assert stream.length() == 30
    lose(6, ending=".zst")
    consume_log()
    with pytest.raises(ArchiveIsBroken, match=r"000000000006-.* is missing"):
        persist_and_archive()
    accept()
    assert lost_entries() == []
    persist_and_archive()
    lose_database()
    consume_log()
    assert [row[0] for row in rows()] == ids
    assert stream.length() == 0


def test_records_that_only_the_database_has_are_not_dropped_by_a_replay(ids: list[UUID]) -> None:
    lose(2)
    accept()
    number = start_replay("again").number
    while replay_step():
        pass
    assert RecordTable.objects.get(pk=number).state == TableState.RETIRED
    assert "the live table took 45" in RecordTable.objects.get(pk=number).error
    assert live_table().number == 1
    assert all(isinstance(read(command_id), Timestamp) for command_id in ids)


@pytest.mark.parametrize("number", [2, 4])
def test_records_that_only_the_database_has_are_copied(ids: list[UUID], number: int) -> None:
    lose(number)
    accept()
    ids += append(7)
    consume_log()
    call_command("replay_timestamps", "--from-position", str(archive.current().losses()[0].last.after()))
    assert (live_table().number, [row[0] for row in rows(2)]) == (2, ids)


def test_archive_and_stream_that_are_both_lost_leave_what_the_database_has(ids: list[UUID]) -> None:
    shutil.rmtree(settings.ARCHIVE_URL)
    valkey.truth().flushdb()
    with pytest.raises(ArchiveIsBroken, match="no archive"):
        consume_log()
    accept()
    ids += append(3)
    consume_log()
    assert [row[0] for row in rows()] == ids
    assert lost_entries() == [(1, 45)]


@pytest.mark.parametrize("step", range(8))
def test_repair_that_dies_at_any_step_is_finished_by_the_next(
    ids: list[UUID], step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(1, ending=".zst")
    lose(2, ending=".json")
    lose(3)
    left = iter(range(step))
    with monkeypatch.context() as patch:
        for name in ("write", "write_once"):
            original = getattr(ArchiveStore, name)

            def watched(*arguments: object, original: Callable[..., None] = original) -> None:
                if next(left, None) is None:
                    raise KeyboardInterrupt
                original(*arguments)

            patch.setattr(ArchiveStore, name, watched)
        with suppress(KeyboardInterrupt):
            accept()
    accept()
    assert [number for number, _ in lost_entries()] == [1, 3]


def test_plan_is_not_followed_when_something_was_trimmed_meanwhile(ids: list[UUID]) -> None:
    append(15)
    lose(4, ending=".zst")
    plan = plan_repair()
    persist_and_archive()
    with pytest.raises(ArchiveIsBroken, match="meanwhile"):
        repair(plan)


def test_what_stood_in_the_place_of_a_loss_is_kept(ids: list[UUID]) -> None:
    store = archive.current().store
    text = store.read("000000000002.json")
    lose(2, ending=".zst")
    accept()
    assert store.read("000000000002.lost") == text
    assert losses.described(archive.current().losses()[0]).startswith("segment 2 with 10 entries")
