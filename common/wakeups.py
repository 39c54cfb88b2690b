"""Wakes Celery workers from a thread of its own, so that no request waits for the broker.

Losing a wake-up is harmless: the work is a row, and beat looks for it within a second.
"""

import logging
from concurrent.futures import ThreadPoolExecutor

from celery import current_app

from common.forks import renew_after_fork

logger = logging.getLogger(__name__)

EXPIRES_SECONDS = 10.0


class _Sender:
    def __init__(self) -> None:
        renew_after_fork(self, _Sender._begin)

    def _begin(self) -> None:
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="wakeups")


_sender = _Sender()


def wake(task: str, queue: str, *, workers: int) -> None:
    """Send ``workers`` messages for a task without arguments; returns at once and never raises."""
    _sender.thread.submit(_send, task, queue, workers)


def _send(task: str, queue: str, workers: int) -> None:
    try:
        for _ in range(workers):
            current_app.send_task(task, queue=queue, expires=EXPIRES_SECONDS, retry=False)
    except Exception as error:  # kombu raises whatever its transport raises
        logger.warning("wakeup_lost", extra={"task": task, "error": str(error)})
