"""Celery's door: each task is one call. All may run twice, side by side, or be killed anywhere."""

import logging

from celery import shared_task
from django.db import InterfaceError, OperationalError
from redis.exceptions import RedisError

from counters.flushing import flush_counters, prune_flushes

logger = logging.getLogger(__name__)


@shared_task(name="counters.flush")
def flush_counters_task() -> None:
    try:
        flush_counters()
    except (OperationalError, InterfaceError, RedisError) as error:
        logger.warning("flush_waits_for_store", extra={"error": str(error)})


@shared_task(name="counters.prune")
def prune_flushes_task() -> None:
    prune_flushes()
