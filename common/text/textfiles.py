"""Text that people give to commands: a file, or what comes through a pipe, as lines.

Lines end where ``lines.py`` says. A file that is no text, such as an archive or a workbook given by mistake, is refused
as what it is before anything reads it as thousands of bad rows.
"""

import shutil
import tempfile
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from itertools import chain
from pathlib import Path

from django.conf import settings

from common.text.formats import HEAD_BYTES, foreign_format, kind_of
from common.text.lines import end_by_newlines

BLOCK_BYTES = 2**20
LONGEST_LINE = 10_000  # bytes; a longer one is no row of anything
_LOOKED_AT_BYTES = 64 * 1024


class NoText(ValueError):
    """Says what the file is instead, and what to do."""


def as_predicate(error: ValueError) -> str:
    """Its sentence behind the name of what it is about."""
    sentence = str(error)
    return sentence[0].lower() + sentence[1:]


@contextmanager
def open_text(path: Path) -> Iterator[BufferedIOBase]:
    """The file at its start; what comes through a pipe is taken in whole first.

    Raises: OSError; NoText: it is empty, or plainly no text.
    """
    with path.open("rb") as file:
        head = file.read(_LOOKED_AT_BYTES)
        _refuse_others(head)
        if file.seekable():
            file.seek(0)
            yield file
        else:
            with _spooled(head, file) as spool:
                yield spool


@contextmanager
def _spooled(head: bytes, rest: BufferedIOBase) -> Iterator[BufferedIOBase]:
    """In a file without a name, so nothing is left behind however the process ends."""
    with tempfile.TemporaryFile(dir=settings.SPOOL_DIR) as spool:
        try:
            spool.write(head)
            shutil.copyfileobj(rest, spool)
            spool.seek(0)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(settings.SPOOL_DIR)) from error
        yield spool


def _refuse_others(head: bytes) -> None:
    """Raises NoText."""
    if not head:
        raise NoText("Is empty.")
    packed = kind_of(head)
    if found := foreign_format(head[:HEAD_BYTES]) or (packed != "plain" and f"a {packed} file; unpack it"):
        raise NoText(f"Is {found}.")
    if (offset := head.find(b"\0")) >= 0:
        line = end_by_newlines(head[:offset] + b"-").count(b"\n") + 1
        raise NoText(f"Is no text, or text in UTF-16: it has a NUL byte in line {line}; save it in UTF-8.")


def size_of(file: BufferedIOBase) -> int:
    """In bytes; the file is at its start afterwards."""
    size = file.seek(0, 2)
    file.seek(0)
    return size


def blocks_of(file: BufferedIOBase) -> Iterator[bytes]:
    """The file from its start in blocks of whole lines for ``lines_of``, without a byte order mark.

    Of a line that is longer than LONGEST_LINE just so much is there as says that it is.
    """
    file.seek(len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0)
    rest = b""
    while piece := file.read(BLOCK_BYTES):
        block = rest + piece
        ended = _end_of_lines(block)
        if ended:
            yield block[:ended]
        rest = _shortened(block[ended:])
    if rest:
        yield rest


def _end_of_lines(block: bytes) -> int:
    """Behind the last line that has surely ended: CRs at the very end may have an LF behind them."""
    before = block.rstrip(b"\r")
    if len(block) - len(before) > LONGEST_LINE:  # whatever follows, nobody means this many to be one end
        return len(block) - 1
    return max(block.rfind(b"\n"), before.rfind(b"\r")) + 1


def _shortened(line: bytes) -> bytes:
    end = b"\r" if line.endswith(b"\r") else b""
    return line[: LONGEST_LINE + 1] + end if len(line) > LONGEST_LINE + 1 else line


def lines_of(block: bytes) -> list[bytes]:
    """Without their ends. Only a CR that belongs to an LF is left by ``end_by_newlines``."""
    return end_by_newlines(block).replace(b"\r", b"").removesuffix(b"\n").split(b"\n")


def numbered_lines(file: BufferedIOBase) -> Iterator[tuple[int, bytes]]:
    """All lines of the file from its start, counted from 1, without their ends."""
    return enumerate(chain.from_iterable(map(lines_of, blocks_of(file))), 1)
