"""What a worker does with a message: one turn of its job."""

import logging
import os
from collections.abc import Callable, Iterable
from functools import cache

from celery import Celery
from django.db import ProgrammingError

from common.errors import Broken, Unavailable
from common.stores.guarded import STORE_AWAY
from common.stores.sqlstate import NOT_MIGRATED, sqlstate
from jobs.job import Job
from jobs.waking import wake

logger = logging.getLogger(__name__)


def add_tasks(app: Celery, jobs: Iterable[Job]) -> None:
    """One for each."""
    for job in jobs:
        app.task(name=job.name)(_turn_of(job))


def _turn_of(job: Job) -> Callable[[], None]:
    def take_turn() -> None:
        run(job)

    return take_turn


def run(job: Job) -> None:
    """Take a turn, and have a worker woken when there is more; a line of log while what it needs is away or broken.

    Raises: whatever else the turn raises: the task has failed then.
    """
    _be_nice(job.niceness)
    try:
        if job.take_turn():
            wake(job, workers=1)
    except (*STORE_AWAY, Unavailable) as error:
        logger.warning("job_waits_for_store", extra={"job": job.name, "error": str(error)})
    except Broken as error:
        logger.error("job_is_stuck", extra={"job": job.name, "error": error.detail})
    except ProgrammingError as error:
        if not (job.waits_for_migrations and sqlstate(error) in NOT_MIGRATED):
            raise
        logger.warning("job_waits_for_migrations", extra={"job": job.name})


@cache
def _be_nice(niceness: int) -> None:
    """Once in each process: its queue's jobs are alike."""
    os.nice(niceness)
