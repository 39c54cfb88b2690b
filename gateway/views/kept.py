"""Answers that are kept for repeats: until when, and what becomes of them then."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from gateway.models import IdempotencyRecord

SWEEP_SLICE = 5_000


def expired_before() -> datetime:
    return timezone.now() - timedelta(seconds=settings.IDEMPOTENCY_TTL_SECONDS)


def sweep_expired_answers() -> int:
    """Delete what no repeat can get any more, a slice per transaction. Returns how many."""
    swept = 0
    while deleted := _sweep_slice():
        swept += deleted
    return swept


def _sweep_slice() -> int:
    with transaction.atomic():
        expired = IdempotencyRecord.objects.filter(created_at__lte=expired_before()).order_by("created_at")
        # Locked, so that a row which a fresh request takes over is looked at again.
        locked = expired.select_for_update(skip_locked=True).values_list("pk", flat=True)[:SWEEP_SLICE]
        return IdempotencyRecord.objects.filter(pk__in=list(locked)).delete()[0]
