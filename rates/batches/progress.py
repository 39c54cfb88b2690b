"""Where batches stand, from their chunks."""

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import F, Sum
from django.utils import timezone

from rates.batches.admission import seconds_until_done
from rates.batches.errors import BatchNotFound
from rates.models import BATCH_ACTIVE, BatchStatus, PriceBatch


class BatchProgress(NamedTuple):
    """Attributes:
    progress: share of the rows that have their outcome.
    eta_seconds: None once it has ended.
    deadline_met: None while it is open, without a deadline, and when it was cancelled.
    """

    id: int
    status: BatchStatus
    rows_total: int
    rows_applied: int
    rows_rejected: int
    progress: float
    eta_seconds: int | None
    deadline: datetime | None
    deadline_met: bool | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def batch_progress(batch_id: int) -> BatchProgress:
    """Raises BatchNotFound."""
    batch = PriceBatch.objects.filter(pk=batch_id).first()
    if batch is None:
        raise BatchNotFound(batch_id)
    return progress_of(batch)


def progress_of(batch: PriceBatch) -> BatchProgress:
    """The same of a batch that was read already."""
    applied, rejected = _outcomes(batch.id)
    is_active = batch.status in BATCH_ACTIVE
    return BatchProgress(
        id=batch.id,
        status=BatchStatus(batch.status),
        rows_total=batch.row_count,
        rows_applied=applied,
        rows_rejected=rejected,
        progress=round((applied + rejected) / batch.row_count, 3),
        eta_seconds=round(seconds_until_done(batch.id)) if is_active else None,
        deadline=batch.deadline_at,
        deadline_met=_deadline_met(batch),
        created_at=batch.created_at,
        started_at=batch.started_at,
        finished_at=batch.finished_at,
    )


def _outcomes(batch_id: int) -> tuple[int, int]:
    """Rows applied and rejected, of chunks that are there and of those that were pruned, in one statement."""
    applied = F("rows_applied") + Sum("chunks__rows_applied", default=0)
    rejected = F("rows_rejected") + Sum("chunks__rows_rejected", default=0)
    sums: tuple[int, int] = PriceBatch.objects.filter(pk=batch_id).values_list(applied, rejected).get()
    return sums


def _deadline_met(batch: PriceBatch) -> bool | None:
    """A deadline that has passed is missed before the batch ends."""
    deadline: Any = batch.deadline_at
    if deadline is None or batch.status == BatchStatus.CANCELLED:
        return None
    if batch.finished_at is None:
        return False if timezone.now() > deadline else None
    return bool(batch.status == BatchStatus.FINISHED and batch.finished_at <= deadline)
