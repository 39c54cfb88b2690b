"""From the stream into segments and out of the stream, and reading on across both."""

from pathlib import Path

import pytest
from django.conf import settings
from pytest_django import Settings

from common.stores import valkey
from tests.counters import side_by_side
from tests.timestamps import append, committed, entries, pretend_all_is_persisted, put_entry
from timestamps.errors import ArchiveIsBroken, ArchiveUnavailable
from timestamps.locks import archiver_lease
from timestamps.log import archive, archiving, reading, stream
from timestamps.log.archivestore import ArchiveStore
from timestamps.log.archiving import archive_step, archive_waiting
from timestamps.metrics import archive_metrics, log_metrics, records_metrics
from timestamps.models import RecordTable, TableState
from timestamps.types import START, Entry, Position

pytestmark = committed


@pytest.fixture(autouse=True)
def small_segments(settings: Settings) -> None:
    settings.TIMESTAMPS_SEGMENT_ENTRIES = 10


def put(count: int) -> list[Entry]:
    """This many entries into the stream; what the log holds then."""
    return [Entry(put_entry({"command_id": str(number)}), {"command_id": str(number)}) for number in range(count)]


def archive_all() -> None:
    while archive_step():
        pass


def segment_sizes() -> list[int]:
    archive_ = archive.current()
    return [archive_.manifest(number).entries for number in range(1, archive_.newest().number + 1)]


def in_stream() -> int:
    return stream.length()


def test_full_segments_are_written_and_what_is_left_waits() -> None:
    everything = put(35)
    archive_all()
    assert segment_sizes() == [10, 10, 10]
    assert in_stream() == 35  # nobody has persisted them
    assert entries(reading.read_after(START, 100)) == everything


def test_old_entries_do_not_wait_for_a_full_segment(settings: Settings) -> None:
    put(3)
    settings.TIMESTAMPS_SEGMENT_SECONDS = 0
    archive_all()
    assert segment_sizes() == [3]
    assert not archive_step()


def test_what_waits_is_archived_on_demand_however_young_it_is() -> None:
    everything = put(23)
    assert archive_waiting() == 23
    assert segment_sizes() == [10, 10, 3]
    assert archive_waiting() == 0
    assert entries(reading.read_after(START, 100)) == everything


def test_one_archives_at_a_time_on_demand_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "LEASE_WAIT_SECONDS", 0.1)
    put(1)
    with archiver_lease():
        (archived,) = side_by_side(archive_waiting)
    assert (archived, segment_sizes()) == (None, [])


def test_persisted_segments_leave_the_stream() -> None:
    everything = put(35)
    pretend_all_is_persisted()
    archive_all()
    assert in_stream() == 5
    assert stream.low_water_mark() == everything[29].position
    assert entries(reading.read_after(START, 100)) == everything


@pytest.mark.parametrize("limit", [1, 3, 10, 100])
def test_log_reads_on_from_archive_to_stream_from_any_position(limit: int) -> None:
    everything = put(20)
    pretend_all_is_persisted()
    archive_all()
    everything += put(15)
    archive_step()
    everything += put(2)
    assert in_stream() < len(everything)
    for at, position in enumerate([START, *(entry.position for entry in everything)]):
        assert entries(reading.read_after(position, limit)) == everything[at : at + limit]


def test_only_whole_segments_that_every_filled_table_has_are_trimmed() -> None:
    everything = put(35)
    valkey.truth().set(stream.prefix() + "persisted", str(everything[25].position))
    live = RecordTable.objects.get()
    live.position = everything[25].position
    live.save()
    building = RecordTable(number=2, state=TableState.BUILDING)
    building.position = everything[12].position
    building.save()
    archive_all()
    assert stream.low_water_mark() == everything[9].position
    RecordTable.objects.filter(number=2).update(state=TableState.RETIRED)
    archive_all()
    assert stream.low_water_mark() == everything[19].position


def test_segment_that_changed_after_it_was_written_stays_in_the_stream() -> None:
    everything = put(20)
    archive_all()
    pretend_all_is_persisted()
    (broken, *_) = sorted(Path(settings.ARCHIVE_URL).glob("*.zst"))
    broken.write_bytes(broken.read_bytes()[:-1] + b"x")
    with pytest.raises(ArchiveIsBroken, match=broken.name):
        archive_step()
    assert in_stream() == 20
    assert entries(reading.read_after(START, 100)) == everything


def test_segment_that_lacks_an_entry_of_the_stream_is_not_trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of the archiver must not cost the log anything."""
    put(20)
    pretend_all_is_persisted()
    next_lines = archiving._next_lines
    monkeypatch.setattr(archiving, "_next_lines", lambda position, limit: next_lines(position, limit)[::2])
    with pytest.raises(ArchiveIsBroken, match="lacks entries that the stream has"):
        archive_step()
    assert in_stream() == 20


def test_disk_that_reads_back_something_else_gets_no_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    put(10)
    read = ArchiveStore.read
    with monkeypatch.context() as patch:
        patch.setattr(ArchiveStore, "read", lambda store, name: read(store, name)[:-1])
        with pytest.raises(ArchiveIsBroken, match="reads back other"):
            archive_step()
    assert archive.current().newest().number == 0
    archive_all()
    assert segment_sizes() == [10]


def test_archive_that_is_away_stops_trimming_and_goes_on_later(monkeypatch: pytest.MonkeyPatch) -> None:
    put(10)
    pretend_all_is_persisted()

    def away(store: ArchiveStore, name: str, content: bytes) -> None:
        raise ArchiveUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(ArchiveStore, "write", away)
        with pytest.raises(ArchiveUnavailable):
            archive_step()
    assert in_stream() == 10
    archive_all()
    assert in_stream() == 0


@pytest.mark.parametrize("step", ["write", "read", "write_once", "names"])
def test_archiver_that_dies_at_any_step_is_followed_by_one_that_goes_on(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = put(25)
    pretend_all_is_persisted()
    archive.current().newest()

    def dies(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ArchiveStore, step, dies)
        with pytest.raises(KeyboardInterrupt):
            archive_step()
    assert entries(reading.read_after(START, 100)) == everything
    archive_all()
    assert (segment_sizes(), in_stream()) == ([10, 10], 5)
    assert entries(reading.read_after(START, 100)) == everything


def test_second_archiver_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    put(10)
    with archiver_lease() as is_mine:
        assert is_mine
        assert side_by_side(archive_step) == [False]
    assert segment_sizes() == []


def test_store_that_came_back_empty_gets_its_mark_from_the_archive() -> None:
    everything = put(20)
    pretend_all_is_persisted()
    archive_all()
    valkey.truth().flushdb()
    assert entries(reading.read_after(START, 100)) == everything
    assert stream.high_water_mark() == everything[-1].position
    everything += put(3)
    assert entries(reading.read_after(START, 100)) == everything


def test_store_that_lost_its_marks_alone_is_read_from_archive_and_stream() -> None:
    everything = put(25)
    archive_all()
    valkey.truth().delete(*(stream.prefix() + name for name in ("trimmed", "persisted", "life")))
    assert entries(reading.read_after(START, 100)) == everything
    assert (stream.low_water_mark(), in_stream()) == (everything[19].position, 5)


def test_archive_that_lost_its_newest_segment_is_an_error_not_an_end() -> None:
    everything = put(20)
    pretend_all_is_persisted()
    archive_all()
    for path in Path(settings.ARCHIVE_URL).glob("000000000002*"):
        path.unlink()
    archive._archive_at.cache_clear()
    assert entries(reading.read_after(START, 10)) == everything[:10]
    with pytest.raises(ArchiveIsBroken, match="neither in the stream nor in the archive"):
        reading.read_after(everything[9].position, 10)
    with pytest.raises(ArchiveIsBroken, match="the stream begins only after"):
        archive_step()


def unarchived_seconds() -> float:
    samples = {metric.name: metric.samples[0].value for metric in archive_metrics()}
    return samples["floodgate_timestamps_unarchived_seconds"]


def test_age_of_what_only_the_stream_has() -> None:
    assert unarchived_seconds() == 0
    valkey.truth().xadd(stream.stream_key(), {"command_id": "1"}, id="1000-0")
    assert unarchived_seconds() > 1_000_000
    assert Position(1_000, 0) < Position(1_000, 1)


def test_a_scrape_opens_no_store_that_has_started() -> None:
    append(1)
    valkey.truth().set(stream.prefix() + "life", "another")
    for source in (log_metrics, records_metrics, archive_metrics):
        list(source())
    assert not stream.state().is_open


def test_segment_whose_manifest_was_lost_is_not_trimmed() -> None:
    put(20)
    while archiving.write_due_segment():
        pass
    pretend_all_is_persisted()
    archive_ = archive.current()
    archive_.store.delete("000000000001.json")
    with pytest.raises(ArchiveIsBroken, match=r"000000000001\.json is missing"):
        archive_step()
    assert in_stream() == 20


def test_archiver_that_knew_a_manifest_which_is_lost_writes_it_again() -> None:
    """What it names is still in the stream."""
    put(20)
    archive_all()
    archive.current().store.delete("000000000002.json")
    everything = put(15)
    with pytest.raises(ArchiveIsBroken, match=r"000000000002\.json is missing"):
        archive_step()
    archive_all()
    assert segment_sizes() == [10, 10, 10]
    assert entries(reading.read_after(everything[-2].position, 9)) == everything[-1:]


def test_reader_that_knew_a_manifest_reads_the_one_that_was_put_in_its_place(tmp_path: Path) -> None:
    everything = put(20)
    pretend_all_is_persisted()
    archive_all()
    archive.current().newest()
    segment = Path(settings.ARCHIVE_URL) / archive.current().manifest(1).segment
    manifest = Path(settings.ARCHIVE_URL) / "000000000001.json"
    renamed = segment.rename(segment.with_name("000000000001-copy.ndjson.zst"))
    manifest.write_text(manifest.read_text().replace(segment.name, renamed.name))
    with pytest.raises(ArchiveIsBroken, match=segment.name):
        reading.read_after(START, 10)
    assert entries(reading.read_after(START, 10)) == everything[:10]


def test_segments_are_small_enough_for_a_small_stream(settings: Settings) -> None:
    settings.TIMESTAMPS_SEGMENT_ENTRIES, settings.TIMESTAMPS_MAX_BACKLOG = 100, 20
    put(20)
    archive_all()
    assert segment_sizes() == [10, 10]
