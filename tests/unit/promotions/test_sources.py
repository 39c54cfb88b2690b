import gzip
import os
from pathlib import Path

import pytest
import zstandard

from promotions.errors import SourceError, SourceForbidden, SourceNotFound, SourceTooLarge, SourceUnreadable
from promotions.sources import resolve_source, sniff, unpack

TEXT = os.urandom(200_000).hex().encode() + b"\n"
LIMIT_BYTES = 10**6
PACKERS = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor(write_content_size=False).compress}


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    write(folder / "sub" / "a.csv", b"x")
    write(tmp_path / "secret.csv", b"x")
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    (folder / "inside.csv").symlink_to(folder / "sub" / "a.csv")
    os.mkfifo(folder / "pipe")
    return folder


def test_files_inside_the_root_are_found_by_any_name(root: Path) -> None:
    wanted = root / "sub" / "a.csv"
    for name in ("sub/a.csv", str(wanted), "inside.csv", "sub/../sub/a.csv"):
        assert resolve_source(name, root) == wanted


@pytest.mark.parametrize(
    ("name", "error"),
    [
        *((name, SourceForbidden) for name in ("../secret.csv", "link.csv", "/etc/passwd", "../no-such-file", "/")),
        *((name, SourceNotFound) for name in ("", "a\0b", "none.csv", "sub/a.csv/b")),
        *((name, SourceUnreadable) for name in ("sub", "pipe", "loop.csv", "x" * 300)),
    ],
)
def test_other_names_are_refused(root: Path, name: str, error: type[SourceError]) -> None:
    with pytest.raises(error):
        resolve_source(name, root)


@pytest.mark.parametrize("kind", PACKERS)
def test_archives_of_several_parts_are_unpacked_once(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a", PACKERS[kind](TEXT) + PACKERS[kind](b"more\n"))
    plain = unpack(path, tmp_path / "spool", LIMIT_BYTES)
    assert plain.read_bytes() == TEXT + b"more\n"
    made = plain.stat().st_ino
    assert unpack(path, tmp_path / "spool", LIMIT_BYTES).stat().st_ino == made
    assert list((tmp_path / "spool").iterdir()) == [plain]


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda packed, pack: packed[:-9], SourceUnreadable),
        (lambda packed, pack: packed[:500] + b"x" * 20 + packed[520:-20], SourceUnreadable),
        (lambda packed, pack: packed + b"garbage", SourceUnreadable),
        (lambda packed, pack: pack(bytes(LIMIT_BYTES + 1)), SourceTooLarge),
    ],
    ids=["truncated", "corrupt", "trailing", "bomb"],
)
def test_bad_archives_leave_no_file(tmp_path: Path, kind: str, damage, error: type[SourceError]) -> None:  # type: ignore[no-untyped-def]
    path = write(tmp_path / "a", damage(PACKERS[kind](TEXT), PACKERS[kind]))
    with pytest.raises(error):
        unpack(path, tmp_path / "spool", LIMIT_BYTES)
    assert list((tmp_path / "spool").iterdir()) == []


def test_replaced_archive_is_unpacked_again(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    first = unpack(write(path, gzip.compress(b"one\n")), tmp_path, LIMIT_BYTES)
    second = unpack(write(path, gzip.compress(b"three\n")), tmp_path, LIMIT_BYTES)
    assert (first.read_bytes(), second.read_bytes()) == (b"one\n", b"three\n")


def test_plain_file_is_used_where_it_lies(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", TEXT)
    assert unpack(path, tmp_path / "spool", 1) == path


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"PAR1", b"\xff\xfei\0", b"\xfe\xff\0i", b"BZh9", b"%PDF-1.7"])
def test_other_formats_are_refused_by_name(tmp_path: Path, head: bytes) -> None:
    with pytest.raises(SourceUnreadable, match=r"a\.csv' is "):
        sniff(write(tmp_path / "a.csv", head + b"rest"))
