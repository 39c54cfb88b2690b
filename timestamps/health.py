"""Readiness: how far the database is behind the log."""

import time

from timestamps.errors import ConsumerIsLate
from timestamps.lagging import read_lag

LATE_SECONDS = 10.0


def lag_seconds() -> float:
    """Age of the oldest entry that is not in the database. Raises ConsumerIsLate."""
    seconds = read_lag(time.time()).seconds
    if seconds > LATE_SECONDS:
        raise ConsumerIsLate
    return round(seconds, 1)
