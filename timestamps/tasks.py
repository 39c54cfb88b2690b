"""Celery's door: each task is one call. All may run twice, side by side, or be killed anywhere."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_init

from common.stores import STORE_AWAY
from timestamps.consuming import consume_log
from timestamps.standin import start_standin
from timestamps.waking import CONSUME_TASK

logger = logging.getLogger(__name__)


@shared_task(name=CONSUME_TASK)
def consume_log_task() -> None:
    try:
        consume_log()
    except STORE_AWAY as error:
        logger.warning("consumer_waits_for_store", extra={"error": str(error)})


@worker_init.connect
def _consume_without_wakeups(sender: Any, **_: object) -> None:
    if sender.hostname.startswith("events@"):
        start_standin()
