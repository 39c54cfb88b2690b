"""Celery's door: each task is one call. All may run twice, side by side, or be killed anywhere."""

import logging
from collections.abc import Callable
from typing import Any

from celery import shared_task
from celery.signals import worker_init
from django.db import ProgrammingError

from common.sqlstate import sqlstate
from common.standin import start_standin
from common.stores import STORE_AWAY
from common.wakeups import wake
from timestamps.archiving import archive_step
from timestamps.consuming import follow_log
from timestamps.errors import ArchiveIsBroken, ArchiveUnavailable
from timestamps.replaying import replay_step
from timestamps.replays import QUEUE, REPLAY_TASK, drop_retired_tables
from timestamps.settling import settle_dead_letters
from timestamps.standin import LOOK_SECONDS, consume_if_late
from timestamps.tables import UNDEFINED_TABLE
from timestamps.waking import CONSUME_TASK, wake_consumer

logger = logging.getLogger(__name__)

ARCHIVE_TASK = "timestamps.archive"
NOT_MIGRATED = (UNDEFINED_TABLE, "42703")  # a column of a later migration is missing


@shared_task(name=CONSUME_TASK)
def consume_log_task() -> None:
    if _try("consumer", follow_log):
        wake_consumer()


@shared_task(name=ARCHIVE_TASK)
def archive_log_task() -> None:
    if _try("archiver", archive_step):
        wake(ARCHIVE_TASK, QUEUE, workers=1)


@shared_task(name=REPLAY_TASK)
def replay_task() -> None:
    if _try("replay", replay_step):
        wake(REPLAY_TASK, QUEUE, workers=1)


@shared_task(name="timestamps.clean_up")
def drop_retired_tables_task() -> None:
    _try("clean_up", drop_retired_tables)
    _try("clean_up", settle_dead_letters)


def _try(who: str, work: Callable[[], object]) -> object:
    """What ``work`` answers; None, and a line of log, while what it needs is away: beat asks again."""
    try:
        return work()
    except (*STORE_AWAY, ArchiveUnavailable) as error:
        logger.warning(f"{who}_waits_for_store", extra={"error": str(error)})
    except ArchiveIsBroken as error:
        logger.error(f"{who}_waits_for_archive", extra={"error": error.detail})
    except ProgrammingError as error:
        if sqlstate(error) not in NOT_MIGRATED:
            raise
        logger.warning(f"{who}_waits_for_migrations")
    return None


@worker_init.connect
def _consume_without_wakeups(sender: Any, **_: object) -> None:
    if sender.hostname.startswith("events@"):
        start_standin("consume-standin", consume_if_late, LOOK_SECONDS)
