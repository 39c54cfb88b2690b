"""What a file is by its first bytes: text, packed text, or something that cannot be imported, and what.

An archive matters most: its members lie in it as they are, so two files in one would be imported as one, with a few
rejects at the seams.
"""

import re
import tarfile
from typing import Literal

Kind = Literal["plain", "gzip", "zstd"]

HEAD_BYTES = 4096

_PACKED: tuple[tuple[bytes, Kind], ...] = (
    (rb"\x1f\x8b", "gzip"),
    (rb"\x28\xb5\x2f\xfd", "zstd"),
    (rb"[\x50-\x5f]\x2a\x4d\x18", "zstd"),  # a frame to be skipped, with which pzstd begins
)
# None fits the beginning of text.
_FOREIGN = (
    (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", "a zip archive or an Excel workbook; unpack it or save it as CSV"),
    (rb"\xd0\xcf\x11\xe0|\x09[\0\x02\x04]..", "an old Excel workbook; save it as CSV"),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it, or use gzip or zstd"),
    (rb"Rar!\x1a\x07", "a rar archive; unpack it, or use gzip or zstd"),
    (rb"!<arch>\n", "an ar archive; unpack it"),
    (rb"\xc7\x71|\x71\xc7", "a cpio archive; unpack it"),
    (rb"MSCF\0", "a cabinet archive; unpack it"),
    (rb"\xfd7zXZ\0", "an xz file; use gzip or zstd"),
    (rb"\x04\x22\x4d\x18|\x02\x21\x4c\x18", "an lz4 file; use gzip or zstd"),
    (rb"\xff\x06\0\0sNaPpY", "a snappy file; use gzip or zstd"),
    (rb"\x1f[\x9d\xa0]", "a file packed by compress or pack; use gzip or zstd"),
    (rb"Obj\x01", "an Avro file; export it as CSV"),
    (rb"\x89HDF", "an HDF5 file; export it as CSV"),
    (rb"SQLite format 3\0", "an SQLite database; export it as CSV"),
    (rb"PGCOPY\n\xff", "a binary COPY of PostgreSQL; use FORMAT csv"),
    (rb"%PDF-", "a PDF document"),
    (rb"\xff\xfe\0\0|\0\0\xfe\xff", "UTF-32 text; save it as UTF-8"),
    (rb"\xff\xfe|\xfe\xff", "UTF-16 text; save it as UTF-8"),
)
# A first value may look like these; they count where there is more that is no text.
_FOREIGN_LIKE_TEXT = (
    (rb"07070[127][0-9a-fA-F]{8}", "a cpio archive; unpack it"),
    (rb"..-lh.-", "an lha archive; unpack it"),
    (rb"BZh[1-9]", "a bzip2 file; use gzip or zstd"),
    (rb"LZIP", "an lzip file; use gzip or zstd"),
    (rb"PAR[1E]", "a Parquet file; export it as CSV"),
    (rb"ORC", "an ORC file; export it as CSV"),
    (rb"ARROW1|FEA1", "an Arrow file; export it as CSV"),
    (rb"PGDMP", "a dump of PostgreSQL; export the table as CSV"),
)
_NO_TEXT = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")


def kind_of(head: bytes) -> Kind:
    """How a file that begins with ``head`` is to be read."""
    return next((kind for pattern, kind in _PACKED if re.match(pattern, head)), "plain")


def foreign_format(head: bytes) -> str:
    """What a file is that cannot be imported, and what to do, by its first HEAD_BYTES; empty for one that may."""
    if _is_tar(head):
        return "a tar archive; unpack it"
    formats = _FOREIGN + _FOREIGN_LIKE_TEXT if _NO_TEXT.search(head) else _FOREIGN
    if found := next((found for pattern, found in formats if re.match(pattern, head, re.DOTALL)), ""):
        return found
    return "UTF-16 or UTF-32 text; save it as UTF-8" if kind_of(head) == "plain" and _is_wide(head) else ""


def _is_tar(head: bytes) -> bool:
    """Also an old one, which has no name of its format in it: the checksum of the first header fits."""
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], tarfile.ENCODING, "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _is_wide(head: bytes) -> bool:
    """Without a byte order mark: NULs at nearly every second byte, and at most at half of the others (UTF-32)."""
    pairs = len(head) // 2
    fewer, more = sorted(head[start : 2 * pairs : 2].count(0) for start in (0, 1))
    return pairs >= 8 and more > 0.8 * pairs and fewer < 0.6 * pairs
