"""Counting in this process alone, for the time that the cache store is down.

Each process admits its share of the limit. A client whose connections all lead to one process gets less than its due,
never more.
"""

import threading
import time

from common.recent import Recent
from gateway.ratelimits.policies import WINDOW_SECONDS, Policy
from gateway.ratelimits.verdicts import Verdict

SECOND = 1_000_000_000  # in nanoseconds: integers add up without error
CLIENTS_KEPT = 10_000


class LocalLimits:
    """Thread-safe.

    Args: processes: that share each limit.
    """

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._paid_at: Recent[tuple[str, str], int] = Recent(CLIENTS_KEPT)
        self._lock = threading.Lock()

    def count(self, policy: Policy, client: str, quantity: int) -> Verdict:
        """How many of ``quantity`` requests are admitted now."""
        return self.count_at(time.monotonic_ns(), policy, client, quantity)

    def count_at(self, now: int, policy: Policy, client: str, quantity: int) -> Verdict:
        """The same at an instant in nanoseconds; instants must not go back."""
        interval = SECOND * self._processes // policy.per_second
        window = max(WINDOW_SECONDS * SECOND, interval)  # a share below one a second still admits one
        with self._lock:
            paid_at = max(self._paid_at.get((policy.name, client)) or now, now)
            admitted = min(quantity, (now + window - paid_at) // interval)
            paid_at += admitted * interval
            self._paid_at.set((policy.name, client), paid_at)
        return Verdict(admitted, 0.0 if admitted == quantity else (paid_at + interval - window - now) / SECOND)
