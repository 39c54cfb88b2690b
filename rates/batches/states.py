"""The end of a batch, however it comes."""

from django.utils import timezone

from rates.models import BatchStatus, PriceBatch


def end_batch(batch: PriceBatch, status: BatchStatus) -> None:
    """End a batch that the caller has locked."""
    batch.status, batch.finished_at = status, timezone.now()
    batch.save(update_fields=["status", "finished_at"])
