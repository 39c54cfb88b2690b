import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from common.errors import FloodgateError
from promotions.errors import SourceForbidden, SourceNotFound, SourceTooLarge, SourceUnreadable
from promotions.imports.sources import resolve_source, sniff, unpack

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
def test_other_names_are_refused(root: Path, name: str, error: type[FloodgateError]) -> None:
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
def test_bad_archives_leave_no_file(tmp_path: Path, kind: str, damage, error: type[FloodgateError]) -> None:  # type: ignore[no-untyped-def]
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


ROWS = b"0006c161-b9d2-4b62-988c-c25255a20965,31.457293,2018-06-24 14:50:03 +0200 CEST\n" * 50


def tar_of(*members: bytes, form: int = tarfile.USTAR_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for number, content in enumerate(members):
            member = tarfile.TarInfo(f"{number}.csv")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def old_tar(content: bytes) -> bytes:
    """As before POSIX: without a magic, with its checksum only."""
    header = bytearray(tar_of(content)[:512])
    header[257:265] = bytes(8)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + content


def zip_of(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", content)
    return file.getvalue()


def ar_of(*members: bytes) -> bytes:
    return b"!<arch>\n" + b"".join(b"%-16s%-42d%-10d`\n" % (b"a.csv", 0, len(content)) + content for content in members)


def cpio_of(content: bytes) -> bytes:
    head = b"070701" + b"%08X" * 13 % (1, 0, 0, 0, 1, 0, len(content), 0, 0, 0, 0, 6, 0)
    return head + b"a.csv\0" + content


FOREIGN = {
    "tar": (tar_of(ROWS, ROWS), "a tar archive"),
    "tar of pax": (tar_of(ROWS, form=tarfile.PAX_FORMAT), "a tar archive"),
    "tar of gnu": (tar_of(ROWS, form=tarfile.GNU_FORMAT), "a tar archive"),
    "old tar": (old_tar(ROWS), "a tar archive"),
    "zip": (zip_of(ROWS), "a zip archive or an Excel workbook"),
    "empty zip": (b"PK\x05\x06" + bytes(18), "a zip archive or an Excel workbook"),
    "ar": (ar_of(ROWS, ROWS), "an ar archive"),
    "cpio": (cpio_of(ROWS), "a cpio archive"),
    "bzip2": (bz2.compress(ROWS), "a bzip2 file"),
    "xz": (lzma.compress(ROWS), "an xz file"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4" + bytes(24) + ROWS, "a 7z archive"),
    "rar": (b"Rar!\x1a\x07\x01\0" + ROWS, "a rar archive"),
    "lz4": (b"\x04\x22\x4d\x18" + ROWS, "an lz4 file"),
    "old Excel": (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(500), "an old Excel workbook"),
    "Parquet": (b"PAR1" + bytes(50) + b"PAR1", "a Parquet file"),
    "SQLite": (b"SQLite format 3\0" + bytes(90), "an SQLite database"),
    "PDF": (b"%PDF-1.7\n", "a PDF document"),
    "UTF-16 with its mark": (ROWS.decode().encode("utf-16"), "UTF-16 text"),
    "big UTF-16 with its mark": (b"\xfe\xff" + ROWS.decode().encode("utf-16-be"), "UTF-16 text"),
    "UTF-16": (ROWS.decode().encode("utf-16-le"), "UTF-16 or UTF-32 text"),
    "big UTF-16": (ROWS.decode().encode("utf-16-be"), "UTF-16 or UTF-32 text"),
    "UTF-32 with its mark": (ROWS.decode().encode("utf-32"), "UTF-32 text"),
    "UTF-32": (ROWS.decode().encode("utf-32-be"), "UTF-16 or UTF-32 text"),
}
PACKED = {
    "gzip": (gzip.compress(ROWS), "another gzip file"),
    "zstd": (zstandard.compress(ROWS), "another zstd file"),
}


@pytest.mark.parametrize(("content", "found"), FOREIGN.values(), ids=FOREIGN)
def test_other_formats_are_refused_by_name(tmp_path: Path, content: bytes, found: str) -> None:
    with pytest.raises(SourceUnreadable, match=rf"a\.csv' is {found}"):
        sniff(write(tmp_path / "a.csv", content))


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize(("content", "found"), (FOREIGN | PACKED).values(), ids=FOREIGN | PACKED)
def test_what_an_archive_holds_is_looked_at_again(tmp_path: Path, kind: str, content: bytes, found: str) -> None:
    path = write(tmp_path / "a.csv.packed", PACKERS[kind](content))
    with pytest.raises(SourceUnreadable, match=rf"In 'a\.csv\.packed' is {found}"):
        unpack(path, tmp_path / "spool", LIMIT_BYTES)
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"x", b"\0", b"\0\n" * 3, ROWS, ROWS.replace(b"-", b"\0"), bytes(range(256)) * 20, bytes(9_000)),
        *(b"07070112" + ROWS[8:], b"\xef\xbb\xbfid,price,expiration_date\n" + ROWS, b"7z", b"\xff"),
    ],
)
def test_text_of_any_kind_is_for_the_rows_to_judge(tmp_path: Path, text: bytes) -> None:
    assert sniff(write(tmp_path / "a.csv", text)) == "plain"
    assert unpack(write(tmp_path / "a.csv.gz", gzip.compress(text)), tmp_path, LIMIT_BYTES).read_bytes() == text


def skippable(number: int, content: bytes = b"") -> bytes:
    return struct.pack("<II", 0x184D2A50 + number, len(content)) + content


@pytest.mark.parametrize(
    "dress",
    [
        lambda one, two: skippable(0, b"1234") + one + skippable(0, b"1234") + two,  # as pzstd
        lambda one, two: skippable(15, bytes(5_000)) + one + two + skippable(3),
        lambda one, two: skippable(7) + skippable(8) + one + two,
    ],
)
def test_zstd_frames_to_be_skipped_are_skipped(tmp_path: Path, dress: Callable[[bytes, bytes], bytes]) -> None:
    path = write(tmp_path / "a", dress(zstandard.compress(TEXT), zstandard.compress(b"more\n")))
    assert unpack(path, tmp_path, LIMIT_BYTES).read_bytes() == TEXT + b"more\n"


def test_what_is_packed_well_is_not_taken_for_wide_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a", zstandard.compress(bytes(50_000_000)))
    assert sniff(path) == "zstd"


def test_zeros_behind_gzip_are_padding_and_all_else_is_an_error(tmp_path: Path) -> None:
    packed = gzip.compress(TEXT)
    for padding in (bytes(1), bytes(5_000), bytes(9) + gzip.compress(b"")):
        assert unpack(write(tmp_path / "a", packed + padding), tmp_path, LIMIT_BYTES).read_bytes() == TEXT
    for garbage in (b"\n", b"x", bytes(9) + b"x", ROWS, zstandard.compress(ROWS), tar_of(ROWS)):
        with pytest.raises(SourceUnreadable):
            unpack(write(tmp_path / "a", packed + garbage), tmp_path, LIMIT_BYTES)
