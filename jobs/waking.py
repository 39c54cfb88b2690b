"""Wakes workers from a thread of its own, so that no request waits for the broker.

Losing a wake-up is harmless: the work is a row, and beat asks for it soon.
"""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from celery import current_app

from common.forks import renew_after_fork
from jobs.job import Job

logger = logging.getLogger(__name__)

EXPIRES_SECONDS = 10.0


class _Sender:
    def __init__(self) -> None:
        renew_after_fork(self, _Sender._begin)

    def _begin(self) -> None:
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="wakeups")


_sender = _Sender()


def wake(job: Job, *, workers: int | None = None) -> None:
    """Have ``workers`` take a turn, as many as the job says without; returns at once and never raises."""
    _sender.thread.submit(_send, job, job.woken if workers is None else workers)


class Waker:
    """Wakes a worker at once, then at most once in ``pause_seconds``, and always once after the last request.

    One process's; thread-safe. A request costs nothing while a wake-up is due anyway.
    """

    def __init__(self, job: Job, pause_seconds: float) -> None:
        self._job, self._pause_seconds = job, pause_seconds
        renew_after_fork(self, Waker._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._is_due = False
        self._last = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"wake {self._job.name}")

    def request(self) -> None:
        with self._lock:
            if self._is_due:
                return
            self._is_due = True
        self._thread.submit(self._send)

    def _send(self) -> None:
        time.sleep(max(0.0, self._last + self._pause_seconds - time.monotonic()))
        self._last = time.monotonic()
        self._is_due = False  # before the message: what is asked for from now on has one of its own
        wake(self._job, workers=1)


def _send(job: Job, workers: int) -> None:
    try:
        for _ in range(workers):
            current_app.send_task(job.name, queue=job.queue, expires=EXPIRES_SECONDS, retry=False)
    except Exception as error:  # kombu raises whatever its transport raises
        logger.warning("wakeup_lost", extra={"job": job.name, "error": str(error)})
