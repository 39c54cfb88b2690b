"""Finds a source under IMPORT_ROOT and turns archives into plain files.

gzip and zstd can only be read from the start, so they are unpacked to a spool once; every chunk task then reads its own
byte range of the plain file.
"""

import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from promotions.errors import SourceForbidden, SourceNotFound, SourceUnreadable

Kind = Literal["plain", "gzip", "zstd"]

_COPY_BYTES = 2**20
_ZSTD_MAX_WINDOW_BYTES = 128 * 2**20  # what `zstd --long` writes; bounds the memory that an archive can ask for

_ARCHIVES: tuple[tuple[bytes, Kind], ...] = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
_REFUSED = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook; unpack it or save it as CSV"),
    (b"PAR1", "a Parquet file; export it as CSV"),
    (b"BZh", "a bzip2 archive; use gzip or zstd"),
    (b"\xfd7zXZ\0", "an xz archive; use gzip or zstd"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save it as CSV"),
    (b"%PDF", "a PDF document"),
    (b"\xff\xfe", "UTF-16 text; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text; save it as UTF-8"),
)


def resolve_source(filename: str, root: Path) -> Path:
    """The real path of a regular file inside ``root``, named absolutely or relative to it; symlinks are followed.

    Raises SourceForbidden for a path outside, whether or not it exists, SourceNotFound and SourceUnreadable.
    """
    if not filename or "\0" in filename:
        raise SourceNotFound("The file name is empty or holds a NUL character.")
    real_root = root.resolve()
    try:
        path = (real_root / filename).resolve()
        if not path.is_relative_to(real_root):
            raise SourceForbidden(f"{filename!r} lies outside IMPORT_ROOT.")
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise SourceNotFound(f"There is no file {filename!r} under IMPORT_ROOT.") from exc
    except (OSError, RuntimeError) as exc:  # RuntimeError: a loop of symlinks
        raise SourceUnreadable(f"{filename!r} cannot be read: {exc}.") from exc
    if not stat.S_ISREG(mode):
        raise SourceUnreadable(f"{filename!r} is not a regular file.")
    return path


def sniff(path: Path) -> Kind:
    """What the file is by its first bytes. Raises SourceUnreadable, saying what was found, when it cannot be imported."""
    with path.open("rb") as file:
        head = file.read(8)
    for magic, found in _REFUSED:
        if head.startswith(magic):
            raise SourceUnreadable(f"{path.name!r} is {found}.")
    return next((kind for magic, kind in _ARCHIVES if head.startswith(magic)), "plain")


def unpack(path: Path, spool_dir: Path, limit_bytes: int, on_progress: Callable[[int], object] | None = None) -> Path:
    """The plain file of an archive, in ``spool_dir`` under the archive's own name and state; a plain file itself.

    Unpacking the same archive again answers at once; ``on_progress`` is told the bytes written so far.
    Raises SourceTooLarge when more than ``limit_bytes`` come out, SourceUnreadable for a damaged archive.
    """
    kind = sniff(path)
    if kind == "plain":
        return path
    target = spool_dir / _spool_name(path)
    if not target.exists():
        spool_dir.mkdir(parents=True, exist_ok=True)
        _write_whole(target, lambda file: _unpack_into(file, path, kind, limit_bytes, on_progress))
    return target


def _spool_name(path: Path) -> str:
    """Differs when the archive was replaced, so that an old copy never stands in for a new file."""
    state = path.stat()
    identity = f"{path}\0{state.st_ino}\0{state.st_size}\0{state.st_mtime_ns}"
    return f"{zlib.crc32(identity.encode(errors='surrogateescape')):08x}"
