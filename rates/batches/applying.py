"""Workers: a chunk's prices, rejects and mark are one transaction. A chunk is a piece of work: ``jobs/pieces.py``."""

import logging
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from math import inf

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from jobs.pieces import MAX_ATTEMPTS, Pieces
from rates.batches.admission import waiting_chunks
from rates.batches.locks import chunk_lease, lock_batch, lock_chunk
from rates.batches.rows import apply_rows, rows_of
from rates.batches.states import end_batch
from rates.models import BATCH_ACTIVE, BatchChunk, BatchReject, BatchStatus, PriceBatch

logger = logging.getLogger(__name__)

ABANDONED_AFTER = 2 * MAX_ATTEMPTS  # giving up failed as well: a person must look, and what is behind it goes on
STATEMENT_SECONDS = 60  # prices may wait for an import of the same lanes, now and then
GIVEN_UP = "not-applied"


class _Chunks(Pieces[BatchChunk]):
    what = "batch of prices: chunk"

    def waiting(self) -> QuerySet[BatchChunk]:
        return waiting_chunks().filter(attempts__lt=ABANDONED_AFTER).order_by("batch_id", "number")

    def lease(self, key: int) -> AbstractContextManager[bool]:
        return chunk_lease(key)

    def lock(self, key: int) -> BatchChunk | None:
        return lock_chunk(key)

    def correlation_id(self, row: BatchChunk) -> str:
        return row.batch.correlation_id

    def begin(self, row: BatchChunk) -> None:
        queued = PriceBatch.objects.filter(pk=row.batch_id, status=BatchStatus.QUEUED)
        queued.update(status=BatchStatus.RUNNING, started_at=timezone.now())

    def work(self, key: int) -> None:
        _apply(key)

    def give_up(self, key: int) -> None:
        _give_up(key)


CHUNKS = _Chunks()


def apply_batches(seconds: float = inf) -> bool:
    """Apply waiting chunks in the order of their batches, for about ``seconds``.

    Returns, Raises: as ``Pieces.work_through``; whole chunks are there.
    """
    return CHUNKS.work_through(seconds)


def _apply(chunk_id: int) -> None:
    started = time.monotonic()
    chunk = lock_chunk(chunk_id)
    if chunk is None:  # cancelled meanwhile
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
    rejects = apply_rows(rows_of(chunk), chunk.batch.columns)
    chunk.work_seconds = time.monotonic() - started
    _finish(chunk, rejects)


def _give_up(chunk_id: int) -> None:
    """Every row of it is rejected, so that it can be sent again."""
    chunk = lock_chunk(chunk_id)
    if chunk is None:
        return
    detail = f"Its chunk failed {MAX_ATTEMPTS} times and was given up; send the row again."
    _finish(chunk, [row.rejected(GIVEN_UP, detail) for row in rows_of(chunk)], is_given_up=True)
    logger.error("batch_chunk_given_up", extra={"batch": chunk.batch_id, "chunk": chunk.number})


def _finish(chunk: BatchChunk, rejects: Sequence[BatchReject], *, is_given_up: bool = False) -> None:
    BatchReject.objects.bulk_create(rejects)
    chunk.is_done, chunk.is_given_up, chunk.text = True, is_given_up, b""
    chunk.rows_applied, chunk.rows_rejected = chunk.row_count - len(rejects), len(rejects)
    chunk.save(update_fields=["is_done", "is_given_up", "text", "rows_applied", "rows_rejected", "work_seconds"])
    _end_if_last(chunk.batch_id)


def _end_if_last(batch_id: int) -> None:
    """Workers that finish chunks of one batch take turns, so the last one sees that it is."""
    batch = lock_batch(batch_id)
    if batch is None or batch.status not in BATCH_ACTIVE or batch.chunks.filter(is_done=False).exists():
        return
    is_whole = not batch.chunks.filter(is_given_up=True).exists()
    end_batch(batch, BatchStatus.FINISHED if is_whole else BatchStatus.FAILED)
