"""What crosses the edge of this app."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

from common.idempotency import IdempotencyRecord

MAX_VALUE = 2**63 - 1
SUBMISSION_INCREMENTS = 10_000  # the most of one request


# The counter's UUID as 16 bytes, and 1 to MAX_VALUE. A plain tuple: ten thousand are made for a request.
Increment: TypeAlias = tuple[bytes, int]


class Submission(NamedTuple):
    """The increments of one request. With an Idempotency-Key, the same again adds only what was refused before."""

    increments: list[Increment]
    idempotency: IdempotencyRecord | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of a submission: for each increment, in order, ``1`` if it was added, ``0`` if it found no room."""

    outcomes: bytes


@dataclass(frozen=True, slots=True)
class CounterValue:
    """A counter as of now.

    Attributes:
        key: its name.
        value: everything that was ever added.
        pending: the part of it that is not in the database yet.
        as_of: the database holds all that was added before this instant.
    """

    key: UUID
    value: int
    pending: int
    as_of: datetime


class PendingDelta(NamedTuple):
    """What one segment holds for a key. ``since`` is when the segment got its first delta."""

    segment: UUID
    amount: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the buffer.

    Attributes:
        keys: distinct ones, summed over all segments.
        age_seconds: since the oldest delta; 0 when nothing waits.
        segments: all of them, open and closed.
        idempotency_records: Idempotency-Keys that are remembered.
    """

    keys: int
    age_seconds: float
    segments: frozenset[UUID]
    idempotency_records: int
