"""Consumes when nobody asks for it: the process of worker-events looks after the log itself.

Beat and the command side ask over the cache store, and losing that may cost speed, but no more than a second.
"""

import time

from timestamps.consuming import consume_log
from timestamps.lagging import is_behind, read_lag

LOOK_SECONDS = 0.5
LATE_SECONDS = 1.0


def consume_if_late() -> None:
    """Consume when the oldest entry that is not in the database is older than LATE_SECONDS, or the database is anew."""
    if read_lag(time.time()).seconds > LATE_SECONDS or is_behind():
        consume_log()
