"""Consumes when nobody asks for it: the process of worker-events looks after the log itself.

Beat and the command side ask over the cache store, and losing that may cost speed, but no more than a second.
"""

import logging
import threading
import time
from contextlib import suppress

from django.db import Error, connections
from redis.exceptions import RedisError

from common import valkey
from common.stores import ask_database
from timestamps.consuming import consume_log
from timestamps.lagging import is_behind, read_lag

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
LATE_SECONDS = 1.0


def start_standin() -> None:
    """Watch from a thread of this process, for as long as it lives.

    Celery forks its pool meanwhile, so what the drivers import with their first call is imported before.
    """
    with suppress(Error, RedisError):
        valkey.truth().ping()
        ask_database("default")
    threading.Thread(target=_watch, name="consume-standin", daemon=True).start()


def _watch() -> None:
    while True:
        try:
            consume_if_late()
        except (Error, RedisError) as error:
            logger.debug("standin_waits_for_store", extra={"error": str(error)})
        except Exception:  # whatever it was, the next look may find it gone, and nobody else would start us again
            logger.exception("standin_failed")
        finally:
            connections.close_all()
        time.sleep(LOOK_SECONDS)


def consume_if_late() -> None:
    """Consume when the oldest entry that is not in the database is older than LATE_SECONDS, or the database is anew."""
    if read_lag(time.time()).seconds > LATE_SECONDS or is_behind():
        consume_log()
