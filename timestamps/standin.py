"""Consumes when nobody asks for it: the process of worker-events looks after the log itself.

Beat and the command side ask over the cache store, and losing that may cost speed, but no more than a second.
"""

import time

from timestamps import stream
from timestamps.consuming import consume_log
from timestamps.lagging import is_behind, lag_seconds
from timestamps.opening import open_soon

LOOK_SECONDS = 0.5
LATE_SECONDS = 1.0


def consume_if_late() -> None:
    """Consume when the oldest entry that is not in the database is older than LATE_SECONDS, or the database is anew.

    A truth store that has started is opened first, so that ids nobody has are "never" again before anybody appends.
    """
    if not stream.state().is_open:
        open_soon()
    if lag_seconds(time.time()) > LATE_SECONDS or is_behind():
        consume_log()
