"""Flushes when nobody asks for it.

Beat asks over the cache store, and losing that may cost speed but not the promise of ten seconds. So the process of
worker-flush looks after the buffer itself, and flushes what is late.
"""

import logging
import threading
import time
from contextlib import suppress

from django.db import Error, connections
from redis.exceptions import RedisError

from common import valkey
from common.stores import ask_database
from counters.buffer import read_backlog
from counters.flushing import flush_counters

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
LATE_SECONDS = 5.0  # two beats and a half


def start_standin() -> None:
    """Watch from a thread of this process, for as long as it lives.

    Celery forks its pool meanwhile, so what the drivers import with their first call is imported before.
    """
    with suppress(Error, RedisError):
        valkey.truth().ping()
        ask_database("default")
    threading.Thread(target=_watch, name="flush-standin", daemon=True).start()


def _watch() -> None:
    """Looks at once: after a crash the buffer is late already, and Celery takes seconds to be ready."""
    while True:
        try:
            flush_if_late()
        except (Error, RedisError) as error:
            logger.debug("standin_waits_for_store", extra={"error": str(error)})
        except Exception:  # whatever it was, the next look may find it gone, and nobody else would start us again
            logger.exception("standin_failed")
        finally:
            connections.close_all()
        time.sleep(LOOK_SECONDS)


def flush_if_late() -> None:
    """Flush when the oldest delta is older than LATE_SECONDS. Raises DatabaseError, RedisError."""
    if read_backlog().age_seconds > LATE_SECONDS:
        flush_counters()
