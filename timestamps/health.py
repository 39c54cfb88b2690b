"""Readiness: how far the database is behind the log."""

import time

from timestamps.consumer import lagging
from timestamps.errors import ConsumerIsLate, LogNotOpen, Rebuilding
from timestamps.log import stream

LATE_SECONDS = 10.0


def require_open_log() -> None:
    """Raises LogNotOpen: appends are refused."""
    if not stream.state().is_open:
        raise LogNotOpen


def lag_seconds() -> float:
    """Age of the oldest entry that is not in the database.

    Raises: LogNotOpen; ConsumerIsLate; Rebuilding: the database lacks what it had once.
    """
    require_open_log()
    seconds = lagging.lag_seconds(time.time())
    if seconds > LATE_SECONDS:
        raise ConsumerIsLate
    if lagging.is_behind():
        raise Rebuilding
    return round(seconds, 1)
