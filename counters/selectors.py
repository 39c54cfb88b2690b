"""Reads of counters: the database's part and the buffer's, added up."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from counters.buffer import pending_deltas
from counters.errors import CounterNotFound
from counters.types import CounterValue, PendingDelta

# One statement, so that sums and flushes are of one snapshot.
_PERSISTED = """
SELECT key, value, NULL::uuid FROM counters_counter WHERE key = ANY(%s)
UNION ALL
SELECT generation, NULL, done_through_key FROM counters_flush WHERE generation = ANY(%s)
"""


class _Persisted(NamedTuple):
    """Sums by key, and how far each segment is in them."""

    sums: dict[UUID, int]
    done_through: dict[UUID, UUID | None]


def read_counters(keys: list[UUID]) -> list[CounterValue | CounterNotFound]:
    """Exact values, which never go down from one read to the next.

    The buffer is asked first. What leaves it in between is in the database then, and its flush says so; what is in both
    is counted once, for the same reason.

    Args:    keys: N, any order, repeats allowed.
    Returns: N answers in the order of ``keys``.
    Raises:  RedisError, DatabaseError: a store is away; half of a sum would be a wrong sum.
    Source:  docs/counters.md.
    """
    now, pending = pending_deltas([key.bytes for key in keys])
    persisted = _read_persisted(keys, {delta.segment for deltas in pending for delta in deltas})
    return [_value(key, deltas, persisted, now) for key, deltas in zip(keys, pending, strict=True)]


def _read_persisted(keys: Sequence[UUID], segments: Iterable[UUID]) -> _Persisted:
    persisted = _Persisted({}, {})
    with connection.cursor() as cursor:
        cursor.execute(_PERSISTED, [list(keys), list(segments)])
        for name, total, done_through in cursor.fetchall():
            if isinstance(total, Decimal):
                persisted.sums[name] = int(total)
            else:
                persisted.done_through[name] = done_through
    return persisted


def _value(
    key: UUID, deltas: list[PendingDelta], persisted: _Persisted, now: datetime
) -> CounterValue | CounterNotFound:
    waiting = [delta for delta in deltas if not _is_persisted(key, persisted.done_through.get(delta.segment))]
    if key not in persisted.sums and not waiting:
        return CounterNotFound(key)
    pending = sum(delta.amount for delta in waiting)
    as_of = min((delta.since for delta in waiting), default=now)
    return CounterValue(key, persisted.sums.get(key, 0) + pending, pending, as_of)


def _is_persisted(key: UUID, done_through: UUID | None) -> bool:
    """Flushes go by key in the order of bytes, as PostgreSQL compares UUIDs and Python too."""
    return done_through is not None and key <= done_through
