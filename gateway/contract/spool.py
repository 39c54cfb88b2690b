"""Bodies on their way in or out: in memory while small, else in an unnamed file of SPOOL_DIR.

The file has no name (O_TMPFILE), so nothing is left behind however its process ends. Disk work of large bodies is done
on two threads of its own: a write that the kernel throttles must stop neither the event loop nor Django's threads.
"""

import asyncio
import errno
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from django.conf import settings

from gateway.contract.headers import Headers, fields_of
from gateway.contract.http import Receive, body_piece, declared_length
from gateway.errors import BodyTooLarge, IncompleteBody, StorageFull

MEMORY_BYTES = 2**20
PIECE_BYTES = 64 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Spool = tempfile.SpooledTemporaryFile[bytes]
T = TypeVar("T")
_disk = ThreadPoolExecutor(2, thread_name_prefix="spool")


def new_spool() -> Spool:
    return tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES, dir=str(settings.SPOOL_DIR))


async def spool_body(receive: Receive, headers: Headers, limit_bytes: int) -> tuple[Spool, int]:
    """Take in the request's whole body without holding a thread; the caller closes the spool.

    Returns: the body, positioned at its start, and its size in bytes.
    Raises: BodyTooLarge: over ``limit_bytes``; IncompleteBody: the client went away or sent less than it announced;
        StorageFull: the disk is full.
    """
    declared = declared_length(fields_of(headers), limit_bytes)
    spool = new_spool()
    try:
        size = await _fill(spool, receive, limit_bytes)
        if declared is not None and size != declared:
            raise IncompleteBody
        spool.seek(0)
    except BaseException:
        close_quietly(spool)
        raise
    return spool, size


async def _fill(spool: Spool, receive: Receive, limit_bytes: int) -> int:
    size = held = 0
    pieces: list[bytes] = []
    async for piece in _pieces(receive):
        size += len(piece)
        held += len(piece)
        if size > limit_bytes:
            raise BodyTooLarge.of(limit_bytes)
        pieces.append(piece)
        if held > MEMORY_BYTES:
            await on_disk_thread(partial(write_all, spool, pieces))
            pieces, held = [], 0
    if size > MEMORY_BYTES:
        await on_disk_thread(partial(write_all, spool, pieces))
    else:
        write_all(spool, pieces)
    return size


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        piece, more = await body_piece(receive)
        yield piece


async def read_pieces(spool: Spool, size: int) -> AsyncIterator[bytes]:
    """The ``size`` bytes of a spool from its start, in pieces of at most PIECE_BYTES."""
    spool.seek(0)
    for _ in range(0, size, PIECE_BYTES):
        if size > MEMORY_BYTES:
            yield await on_disk_thread(partial(spool.read, PIECE_BYTES))
        else:
            yield spool.read(PIECE_BYTES)


def write_all(spool: Spool, pieces: list[bytes]) -> None:
    with storage_full_named():
        spool.writelines(pieces)
        spool.flush()  # a full disk must show here, not when the file is closed


@contextmanager
def storage_full_named() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise StorageFull from exc
        raise


def close_quietly(spool: Spool) -> None:
    """Close a spool that failed; on a full disk closing fails as well, and the file is gone nevertheless."""
    with suppress(OSError):
        spool.close()


async def on_disk_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_disk, work)
