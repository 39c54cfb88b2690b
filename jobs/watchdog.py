"""Threads that do what is late: beat asks over the cache store, which may be lost.

For the first process of a worker, whose tasks Celery runs in children.
"""

import logging
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from django.db import Error, connections
from redis.exceptions import RedisError

from common.stores import valkey
from common.stores.guarded import ask_database
from jobs.job import Job

logger = logging.getLogger(__name__)


def start_watchdogs(jobs: Iterable[Job]) -> None:
    """Look after each job that has a watch, now and after each pause, for as long as this process lives.

    Celery forks its pool meanwhile, so what the drivers import with their first call is imported before.
    """
    watched = [job for job in jobs if job.watch]
    if watched:
        with suppress(Error, RedisError):
            valkey.truth().ping()
            ask_database("default")
    for job in watched:
        threading.Thread(target=_watch, args=(job,), name=f"watchdog of {job.name}", daemon=True).start()


def _watch(job: Job) -> None:
    """Looks at once: after a crash there is work already, and Celery takes seconds to be ready."""
    while True:
        try:
            job.look()
        except (Error, RedisError) as error:
            logger.debug("watchdog_waits_for_store", extra={"job": job.name, "error": str(error)})
        except Exception:  # whatever it was, the next look may find it gone, and nobody else would start us again
            logger.exception("watchdog_failed", extra={"job": job.name})
        finally:
            connections.close_all()
        time.sleep(job.watch_seconds)
