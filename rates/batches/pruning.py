"""Forgets what became of the single rows of a batch, BATCH_KEEP_DAYS after its end.

The batch itself stays, with its numbers, because prices name it.
"""

from datetime import datetime, timedelta
from math import inf

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Sum
from django.utils import timezone

from common.work.pruning import prune_in_slices
from rates.batches.errors import BatchErrorsGone
from rates.batches.locks import lock_batch
from rates.models import BatchReject, PriceBatch, PrunedTotals

SLICE = 5_000  # rejects, up to 3 KB each


def refuse_if_pruned(batch_id: int) -> None:
    """Raises BatchErrorsGone: its rejects are deleted, or about to be."""
    if PriceBatch.objects.filter(Q(is_pruned=True) | Q(finished_at__lt=_kept_from()), pk=batch_id).exists():
        raise BatchErrorsGone(batch_id, settings.BATCH_KEEP_DAYS)


def prune_batches(seconds: float = inf) -> None:
    """Delete chunks and rejects of batches that ended long ago, for about ``seconds``. May be killed anywhere.

    Raises: DatabaseError.
    """
    prune_in_slices(_oldest, _drop_rejects, _drop_chunks, seconds)


def _oldest() -> int | None:
    old = PriceBatch.objects.filter(is_pruned=False, finished_at__lt=_kept_from()).order_by("finished_at")
    return old.values_list("id", flat=True).first()


def _kept_from() -> datetime:
    return timezone.now() - timedelta(days=settings.BATCH_KEEP_DAYS)


def _drop_rejects(batch_id: int) -> int:
    """A slice in a transaction of its own. Returns how many."""
    slice_ids = BatchReject.objects.filter(batch=batch_id).order_by("row").values_list("pk", flat=True)[:SLICE]
    return BatchReject.objects.filter(pk__in=list(slice_ids)).delete()[0]


def _drop_chunks(batch_id: int) -> None:
    """Their numbers move to the batch and to the totals, in one transaction, so no sum misses or doubles any."""
    with transaction.atomic():
        batch = lock_batch(batch_id)
        if batch is None or batch.is_pruned:
            return
        sums = batch.chunks.aggregate(applied=Sum("rows_applied", default=0), rejected=Sum("rows_rejected", default=0))
        batch.is_pruned, batch.rows_applied, batch.rows_rejected = True, sums["applied"], sums["rejected"]
        batch.save(update_fields=["is_pruned", "rows_applied", "rows_rejected"])
        PrunedTotals.objects.get_or_create(pk=1)
        PrunedTotals.objects.filter(pk=1).update(
            rows_applied=F("rows_applied") + batch.rows_applied, rows_rejected=F("rows_rejected") + batch.rows_rejected
        )
        batch.chunks.all().delete()
