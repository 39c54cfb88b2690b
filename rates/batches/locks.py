"""Every lock of batches. Order: idempotency key, admission, chunk lease, chunk, prices' own locks, batch."""

from contextlib import AbstractContextManager

from common.stores.leases import lease, lock_until_commit
from common.stores.lockkeys import LockKey
from rates.models import BATCH_ACTIVE, BatchChunk, PriceBatch

LEASE_SECONDS = 60


def chunk_lease(chunk_id: int) -> AbstractContextManager[bool]:
    """Whether this connection alone may work on the chunk, until the block ends. Over several transactions, so that an
    attempt is counted before its work begins."""
    return lease(LockKey.PRICE_CHUNK, chunk_id, seconds=LEASE_SECONDS)


def lock_admission() -> None:
    """One decision at a time about what the queue can still take, until the transaction ends."""
    lock_until_commit(LockKey.PRICE_ADMISSION)


def lock_chunk(chunk_id: int) -> BatchChunk | None:
    """The chunk with its batch, locked until the transaction ends; None when there is nothing to do any more."""
    list(BatchChunk.objects.select_for_update(no_key=True).filter(pk=chunk_id).values_list("id"))
    # Its own statement: one that waited for a cancel would still see the batch as it was before.
    rows = BatchChunk.objects.select_related("batch")
    return rows.filter(pk=chunk_id, is_done=False, batch__status__in=BATCH_ACTIVE).first()


def lock_waiting_chunks(batch_id: int) -> None:
    """Waits for those that workers are applying; from then on none is begun until the transaction ends."""
    rows = BatchChunk.objects.select_for_update(no_key=True).filter(batch=batch_id, is_done=False)
    list(rows.order_by("number").values_list("id"))


def lock_batch(batch_id: int) -> PriceBatch | None:
    """The batch as it is now, locked until the transaction ends."""
    return PriceBatch.objects.select_for_update(no_key=True).filter(pk=batch_id).first()
