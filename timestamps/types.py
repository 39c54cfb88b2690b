"""What crosses the edge of this app."""

from dataclasses import dataclass
from typing import NamedTuple, Self
from uuid import UUID

from common.idempotency import IdempotencyRecord

SUBMISSION_TIMESTAMPS = 10_000  # the most of one request
MAX_SEQUENCE = 2**63 - 1  # of a position: the database's


class Position(NamedTuple):
    """A place in the log: the id of a stream's entry. Positions compare as they stand in the log."""

    ms: int
    seq: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``<ms>-<seq>``. Raises ValueError."""
        ms, seq = text.split("-")
        return cls(int(ms), int(seq))

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"

    def age_seconds(self, now: float) -> float:
        """Since the entry came, by the clock of whoever appended it; ``now`` in seconds since 1970."""
        return max(0.0, now - self.ms / 1_000)

    def before(self) -> "Position":
        """The last one that sorts before it. Not for START, before which there is nothing."""
        ms, seq = self
        return Position(ms, seq - 1) if seq else Position(ms - 1, MAX_SEQUENCE)

    def after(self) -> "Position":
        """The first one that sorts after it."""
        ms, seq = self
        return Position(ms, seq + 1) if seq < MAX_SEQUENCE else Position(ms + 1, 0)


START = Position(0, 0)  # before the first entry of any log


class Entry(NamedTuple):
    """What the log has at a position: ``command_id``, ``event_timestamp`` and ``correlation_id``, unless it is broken.

    Bytes that are no UTF-8 are in ``fields`` as lone surrogates (``surrogateescape``), so nothing of an entry is lost.
    """

    position: Position
    fields: dict[str, str]


class Record(NamedTuple):
    """A decoded entry, as text: a hyphenated UUID, RFC 3339 in UTC, a hyphenated UUID. PostgreSQL reads it so."""

    ms: str
    seq: str
    command_id: str
    event_timestamp: str
    correlation_id: str

    @property
    def position(self) -> Position:
        return Position(int(self.ms), int(self.seq))


class Submission(NamedTuple):
    """The instants of one request, RFC 3339 in UTC, that are appended in one step or not at all."""

    event_timestamps: list[str]
    correlation_id: str
    idempotency: IdempotencyRecord | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a submission: the id of its first entry, from which follow those of the others (``ids.py``)."""

    first_id: UUID
    count: int


class Query(NamedTuple):
    """A question for one id.

    Attributes:
        wait_seconds: how long the asker waits for it to be persisted.
        correlation_id: of the question, for its line of log.
    """

    command_id: UUID
    wait_seconds: float = 0.0
    correlation_id: str = ""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A record as readers see it: times are RFC 3339 in UTC, ``created_at`` is None until it is in the database."""

    command_id: UUID
    event_timestamp: str
    correlation_id: str
    created_at: str | None
