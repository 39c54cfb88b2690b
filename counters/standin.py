"""Flushes when nobody asks for it.

Beat asks over the cache store, and losing that may cost speed but not the promise of ten seconds. So the process of
worker-flush looks after the buffer itself, and flushes what is late.
"""

from counters.buffer import read_backlog
from counters.flushing import flush_counters

LOOK_SECONDS = 1.0
LATE_SECONDS = 5.0  # two beats and a half


def flush_if_late() -> None:
    """Flush when the oldest delta is older than LATE_SECONDS. Raises DatabaseError, RedisError."""
    if read_backlog().age_seconds > LATE_SECONDS:
        flush_counters()
