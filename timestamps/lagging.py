"""How far the database is behind the log."""

from typing import NamedTuple

from timestamps import stream
from timestamps.selectors import read_through


class Lag(NamedTuple):
    """Attributes: entries: in the log and not in the database, with dead letters; seconds: age of the oldest that the
    consumer has yet to take, 0 when there is none; stream_entries: all of the stream.
    """

    entries: int
    seconds: float
    stream_entries: int


def read_lag(now: float) -> Lag:
    """Asks the log alone, so it is known while the database is down. Raises RedisError."""
    waiting, stream_entries = stream.sizes()
    oldest = stream.oldest_after(stream.persisted())
    return Lag(waiting, oldest.age_seconds(now) if oldest else 0.0, stream_entries)


def is_behind() -> bool:
    """Whether the database lacks records that it had once, and is being rebuilt. Raises RedisError, DatabaseError."""
    persisted = stream.persisted()
    through = read_through()
    return through is None or through < persisted
