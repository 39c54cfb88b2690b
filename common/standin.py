"""A thread that does work when nobody asks for it: beat asks over the cache store, which may be lost.

For the process of a worker, whose tasks Celery runs in children.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from django.db import Error, connections
from redis.exceptions import RedisError

from common import valkey
from common.stores import ask_database

logger = logging.getLogger(__name__)


def start_standin(name: str, do_what_is_late: Callable[[], object], pause_seconds: float) -> None:
    """Call ``do_what_is_late`` now and after each pause, from a thread of this process, for as long as it lives.

    Celery forks its pool meanwhile, so what the drivers import with their first call is imported before.
    """
    with suppress(Error, RedisError):
        valkey.truth().ping()
        ask_database("default")
    threading.Thread(target=_watch, args=(do_what_is_late, pause_seconds), name=name, daemon=True).start()


def _watch(do_what_is_late: Callable[[], object], pause_seconds: float) -> None:
    """Looks at once: after a crash there is work already, and Celery takes seconds to be ready."""
    while True:
        try:
            do_what_is_late()
        except (Error, RedisError) as error:
            logger.debug("standin_waits_for_store", extra={"error": str(error)})
        except Exception:  # whatever it was, the next look may find it gone, and nobody else would start us again
            logger.exception("standin_failed")
        finally:
            connections.close_all()
        time.sleep(pause_seconds)
