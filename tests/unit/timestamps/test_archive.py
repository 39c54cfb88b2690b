"""The archive as files: what is written is read back the same, and what was touched is named."""

import os
import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from tests.timestamps import entries
from timestamps.errors import ArchiveIsBroken, ArchiveUnavailable
from timestamps.log import archive
from timestamps.log.archive import Archive
from timestamps.log.archivestore import ArchiveStore
from timestamps.log.archiving import _write_segment
from timestamps.log.lines import dump_entry, load_entry
from timestamps.log.segments import manifest_name, pack, unpack
from timestamps.types import START, Entry, Position


def entries_from(first: int, count: int) -> list[Entry]:
    return [
        Entry(Position(1_000 + number // 3, number % 3), {"command_id": f"c{number}"})
        for number in range(first, first + count)
    ]


def write(archive_: Archive, first: int, count: int) -> None:
    _write_segment(archive_, archive_.newest(), [dump_entry(entry) for entry in entries_from(first, count)])


@pytest.fixture(params=["folder", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "archive") if request.param == "folder" else f"memory://{secrets.token_hex(8)}"


@pytest.fixture
def three_segments(tmp_path: Path) -> Archive:
    """Of 10, 5 and 10 entries."""
    archive_ = Archive(str(tmp_path))
    for first, count in ((0, 10), (10, 5), (15, 10)):
        write(archive_, first, count)
    return archive_


def files(folder: Path, ending: str) -> list[Path]:
    return sorted(folder.glob(f"*{ending}"))


@given(st.dictionaries(st.binary(), st.binary()))
def test_every_byte_of_an_entry_comes_back(fields: dict[bytes, bytes]) -> None:
    texts = {
        name.decode(errors="surrogateescape"): value.decode(errors="surrogateescape") for name, value in fields.items()
    }
    entry = Entry(Position(2**63, 7), texts)
    (line,) = unpack(pack([dump_entry(entry)]))
    assert load_entry(line) == entry


def test_empty_archive_has_nothing(url: str) -> None:
    archive_ = Archive(url)
    assert archive_.newest().number == 0
    assert archive_.first_after(START) is None
    assert archive_.entries_through(Position(5, 5)) == 0


def test_entries_come_back_in_order_from_any_position(url: str) -> None:
    archive_ = Archive(url)
    for first, count in ((0, 10), (10, 5), (15, 10)):
        write(archive_, first, count)
    everything = entries_from(0, 25)
    for reader in (archive_, Archive(url)):
        for at, position in enumerate([START, *(entry.position for entry in everything[:-1])]):
            for limit in (1, 4, 100):
                read = entries(reader.read_after(position, limit))
                segment_end = 10 if at < 10 else 15 if at < 15 else 25
                assert read == everything[at : min(at + limit, segment_end)]
            assert reader.entries_through(position) == at


def test_position_between_entries_is_found(three_segments: Archive) -> None:
    assert entries(three_segments.read_after(Position(1_003, 1), 1)) == entries_from(11, 1)
    assert entries(three_segments.read_after(Position(1_003, 99), 1)) == entries_from(12, 1)


def test_reader_finds_segments_that_are_written_later(tmp_path: Path) -> None:
    reader, writer = Archive(str(tmp_path)), Archive(str(tmp_path))
    assert reader.newest().number == 0
    write(writer, 0, 3)
    assert entries(reader.read_after(START, 9)) == entries_from(0, 3)
    write(writer, 3, 3)
    assert entries(reader.read_after(entries_from(2, 1)[0].position, 9)) == entries_from(3, 3)


def test_one_segment_is_opened_once_while_it_is_read_on(
    three_segments: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    read = ArchiveStore.read

    def read_noted(store: ArchiveStore, name: str) -> bytes:
        opened.append(name)
        return read(store, name)

    monkeypatch.setattr(ArchiveStore, "read", read_noted)
    position, count = START, 0
    while count < 25:
        (entry,) = entries(three_segments.read_after(position, 1))
        position, count = entry.position, count + 1
    assert [name for name in opened if name.endswith(".zst")] == [
        three_segments.manifest(number).segment for number in (1, 2, 3)
    ]


def test_reading_beyond_the_archive_is_an_error_not_an_end(three_segments: Archive) -> None:
    with pytest.raises(ArchiveIsBroken, match="neither in the stream nor in the archive"):
        three_segments.read_after(three_segments.newest().last, 10)


@pytest.mark.parametrize("at", [0, 20, -1])
def test_flipped_byte_of_a_segment_is_named(three_segments: Archive, tmp_path: Path, at: int) -> None:
    broken = files(tmp_path, ".zst")[1]
    content = bytearray(broken.read_bytes())
    content[at] ^= 1
    broken.write_bytes(content)
    with pytest.raises(ArchiveIsBroken, match=broken.name):
        three_segments.read_after(entries_from(9, 1)[0].position, 10)
    assert entries(three_segments.read_after(START, 10)) == entries_from(0, 10)


def test_missing_segment_is_named(three_segments: Archive, tmp_path: Path) -> None:
    missing = files(tmp_path, ".zst")[0]
    missing.unlink()
    with pytest.raises(ArchiveIsBroken, match=missing.name):
        three_segments.read_after(START, 10)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff", b'{"number": 2, "first": 1, "last": 2}'])
def test_manifest_that_cannot_be_read_is_named(three_segments: Archive, tmp_path: Path, text: bytes) -> None:
    (tmp_path / manifest_name(2)).write_bytes(text)
    with pytest.raises(ArchiveIsBroken, match=manifest_name(2)):
        Archive(str(tmp_path)).read_after(START, 10)


def test_missing_manifest_in_the_chain_is_named(three_segments: Archive, tmp_path: Path) -> None:
    (tmp_path / manifest_name(2)).unlink()
    with pytest.raises(ArchiveIsBroken, match=manifest_name(2)):
        Archive(str(tmp_path)).read_after(START, 10)


def test_second_archiver_of_a_number_changes_nothing(url: str) -> None:
    first, second = Archive(url), Archive(url)
    first.newest(), second.newest()
    write(first, 0, 10)
    stale = second.manifest(0)
    _write_segment(second, stale, [dump_entry(entry) for entry in entries_from(0, 7)])
    for found in (first, second, Archive(url)):
        assert found.newest().number == 1
        assert entries(found.read_after(START, 100)) == entries_from(0, 10)
    assert sorted(first.store.names()) == [first.newest().segment, manifest_name(1)]


def test_what_a_killed_archiver_left_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(store: ArchiveStore, name: str, content: bytes) -> None:
        raise KeyboardInterrupt

    archive_ = Archive(str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(ArchiveStore, "write_once", killed)
        with pytest.raises(KeyboardInterrupt):
            write(archive_, 0, 10)
        with pytest.raises(KeyboardInterrupt):
            write(archive_, 0, 4)
    (tmp_path / ".part-left").write_bytes(b"half")
    assert Archive(str(tmp_path)).newest().number == 0
    write(Archive(str(tmp_path)), 0, 10)
    assert entries(Archive(str(tmp_path)).read_after(START, 100)) == entries_from(0, 10)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was synced and published, in order."""
    steps: list[str] = []
    sync, link, replace = os.fsync, os.link, os.replace

    def note_sync(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append("folder" if target.is_dir() else "file")
        sync(descriptor)

    def note_link(source: Path, target: Path) -> None:
        steps.append("manifest")
        link(source, target)

    def note_replace(source: Path, target: Path) -> None:
        steps.append("segment")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "link", note_link)
    monkeypatch.setattr(os, "replace", note_replace)
    return steps


def test_file_and_folder_are_synced_before_the_next_step(tmp_path: Path, synced: list[str]) -> None:
    write(Archive(str(tmp_path)), 0, 10)
    assert synced == ["file", "segment", "folder", "file", "manifest", "folder"]


def test_store_that_refuses_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = ArchiveStore(str(tmp_path / "file" / "archive"))
    with pytest.raises(ArchiveUnavailable):
        store.write("a", b"a")


def test_scheme_without_a_driver_is_unavailable() -> None:
    with pytest.raises(ArchiveUnavailable, match="does not answer"):
        ArchiveStore("nowhere://bucket")


def test_archive_follows_its_setting(tmp_path: Path, settings: Settings) -> None:
    settings.ARCHIVE_URL = str(tmp_path / "one")
    write(archive.current(), 0, 3)
    assert entries(archive.current().read_after(START, 9)) == entries_from(0, 3)
    settings.ARCHIVE_URL = str(tmp_path / "two")
    assert archive.current().newest().number == 0
