"""Wakes the consumer after an append: at once, then at most every 200 ms, and always once after the last append."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from common.forks import renew_after_fork
from common.wakeups import wake

CONSUME_TASK = "timestamps.consume"
QUEUE = "events"
PAUSE_SECONDS = 0.2


class Waker:
    """One process's; thread-safe. A request for a wake-up costs nothing while one is due anyway."""

    def __init__(self) -> None:
        renew_after_fork(self, Waker._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._is_due = False
        self._last = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="wake-consumer")

    def request(self) -> None:
        with self._lock:
            if self._is_due:
                return
            self._is_due = True
        self._thread.submit(self._send)

    def _send(self) -> None:
        time.sleep(max(0.0, self._last + PAUSE_SECONDS - time.monotonic()))
        self._last = time.monotonic()
        self._is_due = False  # before the message: an append from now on has one of its own
        wake(CONSUME_TASK, QUEUE, workers=1)


wake_consumer = Waker().request
