"""Workers: a chunk's prices, rejects and mark are one transaction.

An attempt is counted and committed before its work, under the chunk's lease. So a chunk that kills its worker every
time is given up after MAX_ATTEMPTS, instead of keeping the batches behind it waiting for ever.
"""

import logging
import time
from collections.abc import Sequence
from math import inf

from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.utils import timezone

from common.stores.guarded import is_temporary
from common.work.afterwork import working_for
from rates.batches.admission import waiting_chunks
from rates.batches.locks import chunk_lease, lock_batch, lock_chunk
from rates.batches.rows import apply_rows, rows_of
from rates.batches.states import end_batch
from rates.models import BATCH_ACTIVE, BatchChunk, BatchReject, BatchStatus, PriceBatch

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
ABANDONED_AFTER = 2 * MAX_ATTEMPTS  # giving up failed as well: a person must look, and what is behind it goes on
STATEMENT_SECONDS = 60  # prices may wait for an import of the same lanes, now and then
CANDIDATES = 32  # more than there are workers
GIVEN_UP = "not-applied"


def apply_batches(seconds: float = inf) -> bool:
    """Apply waiting chunks in the order of their batches, for about ``seconds``.

    Returns: whether there may be more to do; False when nothing is left that this worker could do now.
    Raises:  DatabaseError: the database is away; call again later, whole chunks are there.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not _work_on_next():
            return False
    return True


def _work_on_next() -> bool:
    candidates = waiting_chunks().filter(attempts__lt=ABANDONED_AFTER).order_by("batch_id", "number")
    for chunk_id in list(candidates.values_list("id", flat=True)[:CANDIDATES]):
        with chunk_lease(chunk_id) as is_ours:
            if is_ours and _attempt(chunk_id):
                return True
    return False


def _attempt(chunk_id: int) -> bool:
    """Whether there was something to do."""
    chunk = _count_attempt(chunk_id)
    if chunk is None:
        return False
    with working_for(chunk.batch.correlation_id, "batch of prices: chunk"):
        _apply_or_give_up(chunk_id, chunk.attempts)
    return True


def _apply_or_give_up(chunk_id: int, attempts: int) -> None:
    try:
        with transaction.atomic():
            _give_up(chunk_id) if attempts > MAX_ATTEMPTS else _apply(chunk_id)
    except Exception as error:
        if is_temporary(error):
            _take_back_attempt(chunk_id)
            raise
        logger.exception("batch_chunk_failed", extra={"chunk": chunk_id, "attempts": attempts})


def _count_attempt(chunk_id: int) -> BatchChunk | None:
    """The chunk with this attempt; None when there is nothing to do any more."""
    with transaction.atomic():
        chunk = lock_chunk(chunk_id)
        if chunk is None:
            return None
        chunk.attempts += 1
        chunk.save(update_fields=["attempts"])
        queued = PriceBatch.objects.filter(pk=chunk.batch_id, status=BatchStatus.QUEUED)
        queued.update(status=BatchStatus.RUNNING, started_at=timezone.now())
    return chunk


def _take_back_attempt(chunk_id: int) -> None:
    """An outage of the store is no fault of the chunk. When the store can't be told, the attempt counts."""
    try:
        BatchChunk.objects.filter(pk=chunk_id, is_done=False).update(attempts=F("attempts") - 1)
    except DatabaseError:
        logger.warning("batch_attempt_counts", extra={"chunk": chunk_id})


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
