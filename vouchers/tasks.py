"""Celery's door: each task is one call. All may run twice, side by side, or be killed anywhere."""

import logging

from celery import shared_task

from common.stores import DATABASE_AWAY, STORE_AWAY
from vouchers import outbox
from vouchers.admission import renew_flags
from vouchers.delivering import deliver_orders
from vouchers.generating import TASK, generate_vouchers, wake_generators

logger = logging.getLogger(__name__)

TURN_SECONDS = 5.0  # a worker that is told to stop finishes its turn, not a million vouchers


@shared_task(name=TASK)
def generate_vouchers_task() -> None:
    try:
        has_more = generate_vouchers(TURN_SECONDS)
    except DATABASE_AWAY as error:
        logger.warning("generation_waits_for_store", extra={"error": str(error)})
        return
    if has_more:
        wake_generators()


@shared_task(name=outbox.TASK)
def deliver_orders_task() -> None:
    try:
        has_more = deliver_orders(TURN_SECONDS)
    except DATABASE_AWAY as error:
        logger.warning("wallet_orders_wait_for_store", extra={"error": str(error)})
        return
    if has_more:
        outbox.wake_deliverer()


@shared_task(name="vouchers.renew_flags")
def renew_flags_task() -> None:
    try:
        renew_flags()
    except STORE_AWAY as error:
        logger.warning("flags_wait_for_store", extra={"error": str(error)})
