"""Flushes when nobody has asked for it."""

from counters.buffer import read_backlog
from counters.flushing import flush_counters

LATE_SECONDS = 5.0  # two beats and a half


def flush_if_late() -> None:
    """Flush when the oldest delta is older than LATE_SECONDS. Raises DatabaseError, RedisError."""
    if read_backlog().age_seconds > LATE_SECONDS:
        flush_counters()
