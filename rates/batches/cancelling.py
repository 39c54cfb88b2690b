"""Cancelling batches."""

from django.db import transaction

from rates.batches.errors import BatchEnded, BatchNotFound
from rates.batches.locks import lock_batch, lock_waiting_chunks
from rates.batches.states import end_batch
from rates.models import BATCH_ACTIVE, BatchStatus


def cancel_batch(batch_id: int) -> None:
    """Stop a batch; when this returns, nothing more of it is applied, and what was applied stays.

    Raises: BatchNotFound; BatchEnded.
    """
    with transaction.atomic():
        lock_waiting_chunks(batch_id)
        batch = lock_batch(batch_id)
        if batch is None:
            raise BatchNotFound(batch_id)
        if batch.status not in BATCH_ACTIVE:
            raise BatchEnded(batch_id, batch.status)
        batch.chunks.filter(is_done=False).update(text=b"")
        end_batch(batch, BatchStatus.CANCELLED)
