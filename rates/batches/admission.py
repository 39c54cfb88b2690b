"""When a batch will be done, told from what waits before it and from how fast chunks were applied lately.

Chunks are taken in the order of their batches, so what is accepted later never delays what was accepted before, and an
estimate that was good stays good.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, QuerySet, Sum
from django.utils import timezone

from common.errors import Overloaded
from rates.batches.errors import DeadlineUnreachable
from rates.models import BATCH_ACTIVE, BatchChunk, PriceBatch

PICKUP_SECONDS = 1.0  # a wake-up that is lost costs a beat
CHUNK_SECONDS = 0.05  # what a chunk costs beside its prices
MEASURED_CHUNKS = 20
MEASURED_PRICES = 500  # a smaller chunk tells more about its overhead than about prices
ASSUMED_PRICES_PER_SECOND = 2_500  # before anything was measured: as 2 cores with a load of 12 did (2026-11)


def refuse_overload() -> None:
    """Raises Overloaded: BATCH_MAX_WAITING batches are not done. The caller holds the admission lock."""
    if PriceBatch.objects.filter(status__in=BATCH_ACTIVE).count() >= settings.BATCH_MAX_WAITING:
        raise Overloaded("Too many batches are waiting; nothing was kept. Send it again when some are done.")


def refuse_late(deadline_at: datetime, chunk_count: int, price_count: int) -> None:
    """Raises DeadlineUnreachable: a batch of this size would be done later. The caller holds the admission lock."""
    waiting = _size(waiting_chunks())
    seconds = _seconds(waiting[0] + chunk_count, waiting[1] + price_count)
    expected_at = timezone.now() + timedelta(seconds=seconds)
    if expected_at > deadline_at:
        raise DeadlineUnreachable(expected_at)


def seconds_until_done(batch_id: int) -> float:
    """Of a batch that is queued or running."""
    return _seconds(*_size(waiting_chunks().filter(batch__lte=batch_id)))


def waiting_chunks() -> QuerySet[BatchChunk]:
    return BatchChunk.objects.filter(is_done=False, batch__status__in=BATCH_ACTIVE)


def _size(chunks: QuerySet[BatchChunk]) -> tuple[int, int]:
    found: dict[str, Any] = chunks.order_by().aggregate(chunks=Count("id"), prices=Sum("price_count", default=0))
    return found["chunks"], found["prices"]


def _seconds(chunk_count: int, price_count: int) -> float:
    return PICKUP_SECONDS + chunk_count * CHUNK_SECONDS + price_count / prices_per_second()


def prices_per_second() -> float:
    """Of one worker, over the chunks that were applied last."""
    done = BatchChunk.objects.filter(work_seconds__gt=0, price_count__gte=MEASURED_PRICES).order_by("-id")
    rows = list(done.values_list("price_count", "work_seconds")[:MEASURED_CHUNKS])
    seconds = sum(seconds or 0 for _, seconds in rows)
    return sum(prices for prices, _ in rows) / seconds if seconds else ASSUMED_PRICES_PER_SECOND
