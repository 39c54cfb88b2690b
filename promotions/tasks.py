"""Celery's door: each task is one call. All may run twice or be killed anywhere."""

import logging
import os
from functools import cache

from celery import shared_task

from common.stores import DATABASE_AWAY
from promotions.importing import work_on_imports
from promotions.publishing import reopen_delivery_if_behind
from promotions.rejects import prune_rejects
from promotions.retention import drop_unused_tables, remove_orphaned_files
from promotions.submitting import WORK_TASK, wake_workers
from promotions.summing import sum_ended_imports

logger = logging.getLogger(__name__)

NICENESS = 10
TURN_SECONDS = 5.0  # a worker that is told to stop finishes its turn, not a whole import


@shared_task(name=WORK_TASK)
def work_on_imports_task() -> None:
    _yield_to_readers()
    try:
        reopen_delivery_if_behind()
        has_more = work_on_imports(TURN_SECONDS)
    except DATABASE_AWAY as error:
        logger.warning("imports_wait_for_store", extra={"error": str(error)})
        return
    if has_more:
        wake_workers()


@cache
def _yield_to_readers() -> None:
    """Once per process: an import takes what readers leave of the processor."""
    os.nice(NICENESS)


@shared_task(name="promotions.prune_rejects")
def prune_rejects_task() -> None:
    _yield_to_readers()
    prune_rejects(TURN_SECONDS)


@shared_task(name="promotions.clean_up")
def clean_up_task() -> None:
    sum_ended_imports(TURN_SECONDS)
    drop_unused_tables()
    remove_orphaned_files()
