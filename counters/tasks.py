"""Celery's door: each task is one call. All may run twice, side by side, or be killed anywhere."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_init

from common.standin import start_standin
from common.stores import STORE_AWAY
from counters.flushing import flush_counters, prune_flushes
from counters.standin import LOOK_SECONDS, flush_if_late

logger = logging.getLogger(__name__)


@shared_task(name="counters.flush")
def flush_counters_task() -> None:
    try:
        flush_counters()
    except STORE_AWAY as error:
        logger.warning("flush_waits_for_store", extra={"error": str(error)})


@shared_task(name="counters.prune")
def prune_flushes_task() -> None:
    prune_flushes()


@worker_init.connect
def _flush_without_wakeups(sender: Any, **_: object) -> None:
    if sender.hostname.startswith("flush@"):
        start_standin("flush-standin", flush_if_late, LOOK_SECONDS)
