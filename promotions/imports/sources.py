"""Finds a source under IMPORT_ROOT and unpacks compressed ones.

gzip and zstd can only be read from the start, so they are unpacked to a spool once; every chunk task then reads its own
byte range of the plain file.
"""

import gzip
import hashlib
import os
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from common.text.formats import HEAD_BYTES, Kind, foreign_format, kind_of
from promotions.errors import SourceForbidden, SourceNotFound, SourceTooLarge, SourceUnreadable

_COPY_BYTES = 2**20
_ZSTD_READ_BYTES = 1024  # can unpack to 32 MB at worst: decompressobj gives all that its input makes
_ZSTD_MAX_WINDOW_BYTES = 128 * 2**20  # what `zstd --long` writes; bounds the memory that a file can ask for


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


def file_state(path: Path) -> str:
    """Differs when the file was replaced or written to: inode, size and time of the last change. Raises OSError."""
    state = path.stat()
    return f"{state.st_ino} {state.st_size} {state.st_mtime_ns}"


def sniff(path: Path) -> Kind:
    """What the file is by its first bytes. Raises SourceUnreadable, saying what was found, if it cannot be imported."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if found := foreign_format(head):
        raise SourceUnreadable(f"{path.name!r} is {found}.")
    return kind_of(head)


def unpack(path: Path, spool_dir: Path, limit_bytes: int, on_progress: Callable[[int], object] | None = None) -> Path:
    """The plain file of a compressed one, written to ``spool_dir``; a plain file itself.

    Unpacking the same file again answers at once with the same path; ``on_progress`` is told the bytes written so
    far. Raises SourceTooLarge when more than ``limit_bytes`` come out, SourceUnreadable when the file is damaged or
    something else than text comes out: neither leaves a file.
    """
    kind = sniff(path)
    if kind == "plain":
        return path
    target = spool_dir / _spool_name(path)
    if not target.exists():
        spool_dir.mkdir(parents=True, exist_ok=True)
        _unpack_to(target, path, kind, limit_bytes, on_progress or (lambda count: None))
    return target


def _spool_name(path: Path) -> str:
    """Differs when the file was replaced, so that an old copy never stands in for a new file."""
    state = path.stat()
    identity = f"{path}\0{state.st_dev}\0{state.st_ino}\0{state.st_size}\0{state.st_mtime_ns}"
    return hashlib.sha256(os.fsencode(identity)).hexdigest()[:32] + ".csv"


def _unpack_to(target: Path, path: Path, kind: Kind, limit_bytes: int, on_progress: Callable[[int], object]) -> None:
    """``target`` appears complete and on disk, or not at all."""
    descriptor, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _copy(path, kind, file, limit_bytes, on_progress)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_dir(target.parent)


def _copy(path: Path, kind: Kind, file: BinaryIO, limit_bytes: int, on_progress: Callable[[int], object]) -> None:
    written = 0
    try:
        with path.open("rb") as packed:
            for data in _looked_at(_unpacked(packed, kind), path.name):
                written += len(data)
                if written > limit_bytes:
                    raise SourceTooLarge(f"{path.name!r} unpacks to more than the limit of {limit_bytes} bytes.")
                file.write(data)
                on_progress(written)
    except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as exc:
        raise SourceUnreadable(f"{path.name!r} is a truncated or damaged {kind} file ({exc}).") from exc


def _looked_at(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    """The same, when they begin like text: what comes out of a compressed file is looked at as any file."""
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= HEAD_BYTES:
            break
    found, kind = foreign_format(head[:HEAD_BYTES]), kind_of(head)
    if kind != "plain":
        found = f"another {kind} file; compress it once"
    if found:
        raise SourceUnreadable(f"In {name!r} is {found}.")
    yield head
    yield from pieces


def _unpacked(packed: BinaryIO, kind: Kind) -> Iterator[bytes]:
    return _unzipped(packed) if kind == "gzip" else _unzstandard(packed)


def _unzipped(packed: BinaryIO) -> Iterator[bytes]:
    """All members; the module's own reader checks their crc32 and ends."""
    with gzip.GzipFile(fileobj=packed) as plain:
        while data := plain.read(_COPY_BYTES):
            yield data


def _unzstandard(packed: BinaryIO) -> Iterator[bytes]:
    """All frames. zstandard's stream_reader takes a truncated frame for a good end, a decompressobj does not."""
    rest = packed.read(_ZSTD_READ_BYTES)
    while rest:
        frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_MAX_WINDOW_BYTES).decompressobj()
        while not frame.eof:
            if not rest:
                raise EOFError("the last frame has no end")
            yield frame.decompress(rest)
            rest = frame.unused_data or packed.read(_ZSTD_READ_BYTES)


def _sync_dir(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
