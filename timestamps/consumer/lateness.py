"""Consumes when nobody has asked for it."""

import time

from timestamps.consumer.consuming import consume_log
from timestamps.consumer.lagging import is_behind, lag_seconds
from timestamps.log import stream
from timestamps.log.recovery import recover_soon

LATE_SECONDS = 1.0


def consume_if_late() -> None:
    """Consume when the oldest entry that is not in the database is older than LATE_SECONDS, or the database is anew.

    A truth store that has started recovers first, so that ids nobody has are "never" again before anybody appends.
    """
    if not stream.state().is_open:
        recover_soon()
    if lag_seconds(time.time()) > LATE_SECONDS or is_behind():
        consume_log()
