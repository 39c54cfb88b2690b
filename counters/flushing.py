"""From the buffer into the database: each segment exactly once, whatever dies meanwhile.

A segment is added in slices. The transaction that adds a slice also moves the flush's ``done_through_key``, so a
flush that was interrupted goes on behind the last slice that was committed. The buffer forgets a segment only when
the database has all of it.
"""

import random
from bisect import bisect_right
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from counters.buffer import (
    SHARDS,
    closed_segments,
    drop_segment,
    read_backlog,
    read_segment,
    seal_segments,
)
from counters.locks import lock_flush, shard_lease
from counters.models import Flush, FlushTotals

SLICE_KEYS = 5_000
KEEP_FLUSHES = timedelta(days=1)

_ADD = """
INSERT INTO counters_counter AS counter (key, value, updated_at)
SELECT key, value, now() FROM unnest(%s::uuid[], %s::bigint[]) AS delta (key, value)
ON CONFLICT (key) DO UPDATE SET value = counter.value + excluded.value, updated_at = excluded.updated_at
"""


def flush_counters() -> int:
    """Bring everything that was counted before the call into the database, except what another flusher is bringing.

    Returns: deltas written. Several may run at once; each takes other shards.
    Raises:  DatabaseError, RedisError: a store is away; the next call goes on from there.
    Source:  docs/counters.md.
    """
    shards = random.sample(range(SHARDS), SHARDS)  # flushers that start together take different ones
    return sum(_flush_shard(shard) for shard in shards)


def prune_flushes() -> None:
    """Forget finished flushes of more than a day ago, as long as the buffer does not name them any more."""
    old = Flush.objects.filter(finished_at__lt=timezone.now() - KEEP_FLUSHES)
    old.exclude(pk__in=read_backlog().segments).delete()


def _flush_shard(shard: int) -> int:
    with shard_lease(shard) as is_mine:
        if not is_mine:
            return 0
        # What an earlier flush left goes first: no segment more for each attempt while the database refuses them.
        left = sum(_flush_segment(shard, segment) for segment in closed_segments(shard))
        return left + sum(_flush_segment(shard, segment) for segment in seal_segments(shard))


def _flush_segment(shard: int, segment: UUID) -> int:
    deltas = read_segment(segment)
    flush, _ = Flush.objects.get_or_create(
        pk=segment, defaults={"shard": shard, "keys": len(deltas), "started_at": timezone.now()}
    )
    written = 0
    while flush.finished_at is None:
        flush, count = _add_slice(segment, deltas)
        written += count
    drop_segment(shard, segment)
    return written


def _add_slice(segment: UUID, deltas: list[tuple[bytes, int]]) -> tuple[Flush, int]:
    """Add the next deltas of a segment, sorted by key; answers the flush as it stands then, and how many."""
    with transaction.atomic():
        flush = lock_flush(segment)
        if flush.finished_at:
            return flush, 0
        start = _position_after(deltas, flush.done_through_key)
        piece = deltas[start : start + SLICE_KEYS]
        _add(piece)
        if piece:
            flush.done_through_key = UUID(bytes=piece[-1][0])
        if start + len(piece) == len(deltas):
            _finish(flush)
        flush.save(update_fields=["done_through_key", "finished_at"])
    return flush, len(piece)


def _position_after(deltas: list[tuple[bytes, int]], done_through: UUID | None) -> int:
    return bisect_right(deltas, done_through.bytes, key=lambda delta: delta[0]) if done_through else 0


def _add(deltas: list[tuple[bytes, int]]) -> None:
    keys, amounts = [key.hex() for key, _ in deltas], [amount for _, amount in deltas]
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [keys, amounts])


def _finish(flush: Flush) -> None:
    """In the transaction of the last slice, so the totals are as exact as the sums."""
    flush.finished_at = timezone.now()
    FlushTotals.objects.get_or_create(pk=flush.shard)
    FlushTotals.objects.filter(pk=flush.shard).update(
        flushes=F("flushes") + 1,
        rows=F("rows") + flush.keys,
        seconds=F("seconds") + (flush.finished_at - flush.started_at).total_seconds(),
    )
