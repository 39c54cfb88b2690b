"""How far the database is behind the log."""

from typing import NamedTuple

from timestamps.log import stream
from timestamps.selectors import read_through

COUNTED_ENTRIES = 5_000  # 15 ms


class Lag(NamedTuple):
    """How much the consumer has yet to project.

    Attributes:
        entries: from COUNTED_ENTRIES on as many as the stream has, which may be more.
        stream_entries: all of the stream.
    """

    entries: int
    stream_entries: int


def read_lag() -> Lag:
    """Asks the log alone, so it is known while the database is down. Raises RedisError."""
    _, in_stream, after = stream.tail(stream.high_water_mark(), COUNTED_ENTRIES)
    return Lag(after if after < COUNTED_ENTRIES else in_stream, in_stream)


def lag_seconds(now: float) -> float:
    """Age of the oldest entry that the consumer has yet to project, 0 when there is none. Asked as read_lag."""
    oldest = stream.oldest_after(stream.high_water_mark())
    return oldest.age_seconds(now) if oldest else 0.0


def is_behind() -> bool:
    """Whether the database lacks records that it had once, and is being rebuilt. Raises RedisError, DatabaseError."""
    high_mark = stream.high_water_mark()
    through = read_through()
    return through is None or through < high_mark
