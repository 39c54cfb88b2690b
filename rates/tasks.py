"""Celery's door: each task is one call. All may run twice, side by side, or be killed anywhere."""

import logging

from celery import shared_task

from common.stores import DATABASE_AWAY
from rates.batches.applying import apply_batches
from rates.batches.pruning import prune_batches
from rates.batches.submitting import TASK, wake_workers
from rates.exchange.openexchangerates import OpenExchangeRates
from rates.exchange.refreshing import refresh_rates

logger = logging.getLogger(__name__)

TURN_SECONDS = 5.0  # a worker that is told to stop finishes its turn, not a whole batch


@shared_task(name=TASK)
def apply_batches_task() -> None:
    try:
        has_more = apply_batches(TURN_SECONDS)
    except DATABASE_AWAY as error:
        logger.warning("batches_wait_for_store", extra={"error": str(error)})
        return
    if has_more:
        wake_workers(1)


@shared_task(name="rates.prune_batches")
def prune_batches_task() -> None:
    prune_batches(TURN_SECONDS)


@shared_task(name="rates.refresh_exchange_rates")
def refresh_exchange_rates_task() -> None:
    """One attempt a day and turn: the worker has other work, and beat asks again."""
    try:
        refresh_rates(OpenExchangeRates(attempts=1))
    except DATABASE_AWAY as error:
        logger.warning("rates_wait_for_store", extra={"error": str(error)})
