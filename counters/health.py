"""Readiness: how far the database is behind what was counted."""

from counters.buffer import read_backlog
from counters.errors import CountersAreStale

STALE_SECONDS = 10.0


def staleness_seconds() -> float:
    """Age of the oldest delta that waits. Raises CountersAreStale when it is past the promise."""
    age_seconds = read_backlog().age_seconds
    if age_seconds > STALE_SECONDS:
        raise CountersAreStale
    return round(age_seconds, 1)
