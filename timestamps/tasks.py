"""Celery's door: each task is one call. All may run twice, side by side, or be killed anywhere."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_init
from django.db import ProgrammingError

from common.sqlstate import sqlstate
from common.stores import STORE_AWAY
from common.wakeups import wake
from timestamps.advancing import UNDEFINED_TABLE
from timestamps.archiving import archive_step
from timestamps.consuming import consume_log
from timestamps.errors import ArchiveIsBroken, ArchiveUnavailable
from timestamps.replaying import replay_step
from timestamps.replays import QUEUE, REPLAY_TASK, drop_retired_tables
from timestamps.standin import start_standin
from timestamps.waking import CONSUME_TASK

logger = logging.getLogger(__name__)

ARCHIVE_TASK = "timestamps.archive"


@shared_task(name=CONSUME_TASK)
def consume_log_task() -> None:
    try:
        consume_log()
    except (*STORE_AWAY, ArchiveUnavailable) as error:
        logger.warning("consumer_waits_for_store", extra={"error": str(error)})
    except ArchiveIsBroken as error:
        logger.error("consumer_waits_for_archive", extra={"error": error.detail})
    except ProgrammingError as error:
        if sqlstate(error) != UNDEFINED_TABLE:
            raise
        logger.warning("consumer_waits_for_migrations")


@shared_task(name=ARCHIVE_TASK)
def archive_log_task() -> None:
    try:
        has_more = archive_step()
    except (*STORE_AWAY, ArchiveUnavailable) as error:
        logger.warning("archiver_waits_for_store", extra={"error": str(error)})
    except ArchiveIsBroken as error:
        logger.error("archive_is_broken", extra={"error": error.detail})
    else:
        if has_more:
            wake(ARCHIVE_TASK, QUEUE, workers=1)


@shared_task(name=REPLAY_TASK)
def replay_task() -> None:
    try:
        has_more = replay_step()
    except STORE_AWAY as error:
        logger.warning("replay_waits_for_store", extra={"error": str(error)})
    else:
        if has_more:
            wake(REPLAY_TASK, QUEUE, workers=1)


@shared_task(name="timestamps.clean_up")
def drop_retired_tables_task() -> None:
    drop_retired_tables()


@worker_init.connect
def _consume_without_wakeups(sender: Any, **_: object) -> None:
    if sender.hostname.startswith("events@"):
        start_standin()
