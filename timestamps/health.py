"""Readiness: how far the database is behind the log."""

import time

from timestamps.errors import ConsumerIsLate, Rebuilding
from timestamps.lagging import is_behind, read_lag

LATE_SECONDS = 10.0


def lag_seconds() -> float:
    """Age of the oldest entry that is not in the database.

    Raises: ConsumerIsLate; Rebuilding: the database lacks what it had once.
    """
    seconds = read_lag(time.time()).seconds
    if seconds > LATE_SECONDS:
        raise ConsumerIsLate
    if is_behind():
        raise Rebuilding
    return round(seconds, 1)
