"""Circuits: while a store does not answer, nobody waits for it.

A circuit opens when a call to its store ran into a deadline or failed; callers then go without the store at once. A
probe on a thread of its own asks the store at once, and then once a second, and closes the circuit with the first
answer: where one row was locked for too long, or this process had stopped, the others go on after a moment.
"""

import logging
import threading
import time
from collections.abc import Callable

from common.forks import renew_after_fork

logger = logging.getLogger(__name__)
PROBE_SECONDS = 1.0


class Circuit:
    """One store's circuit in one process. Thread-safe.

    Args: name: the store, as logs and metrics call it.
          probe: asks the store for anything harmless; raises when there is no answer; has its own timeout.
          database: the alias of the database that its threads keep a connection to; empty: they keep none.
    """

    def __init__(self, name: str, probe: Callable[[], object], database: str = "") -> None:
        self.name = name
        self.database = database
        self.probe = probe
        renew_after_fork(self, Circuit._begin)

    def _begin(self) -> None:
        self.is_open = False
        self._lock = threading.Lock()

    def open(self) -> None:
        with self._lock:
            if self.is_open:
                return
            self.is_open = True
        logger.warning("circuit_opened", extra={"store": self.name})
        try:
            threading.Thread(target=self._probe_until_answered, name=f"probe-{self.name}", daemon=True).start()
        except RuntimeError:  # no thread can be started now, and nobody else would close it
            self.is_open = False
            logger.exception("circuit_without_probe", extra={"store": self.name})

    def _probe_until_answered(self) -> None:
        while not self.answers():
            time.sleep(PROBE_SECONDS)
        self.is_open = False
        logger.warning("circuit_closed", extra={"store": self.name})

    def answers(self) -> bool:
        """Ask the store once."""
        try:
            self.probe()
        except Exception:  # whatever the driver raises means: not yet
            logger.debug("probe_failed", exc_info=True)
            return False
        return True
