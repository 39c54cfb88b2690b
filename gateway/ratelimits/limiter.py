"""Refuses who asks too often: with a call to the store once per batch, and without one while a refusal still holds."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis.exceptions import RedisError

from common.errors import RateLimited
from common.recent import Recent
from gateway.batching.batches import BulkFunction, run_batch
from gateway.ratelimits.local import LocalLimits
from gateway.ratelimits.policies import WINDOW_SECONDS, LimitedRoute
from gateway.ratelimits.shared import LIMITS, count_shared
from gateway.ratelimits.verdicts import Asked, Verdict

logger = logging.getLogger(__name__)

Told = Callable[[str, str, str, int], None]  # route, mode, client, requests
REFUSALS_KEPT = 10_000


class Limiter:
    """Belongs to one process; used by its event loop and by threads of batches.

    Args:
        mode: on, off or shadow; ``shadow`` counts and reports what ``on`` would refuse, and refuses nothing.
        processes: that share each limit while the store is down.
        tell: told of refusals: route, "refused" or "shadow", client, requests. Called on any thread.
    """

    def __init__(self, mode: str, processes: int, tell: Told) -> None:
        self.is_off = mode == "off"
        self._is_shadow = mode == "shadow"
        self._tell = tell
        self._local = LocalLimits(processes)
        self._refused_until: Recent[Asked, float] = Recent(REFUSALS_KEPT)
        self._quiet_from = 0.0  # when the last refusal ends; before any look-up, as nearly always nobody is refused

    def refuse_known(self, route: LimitedRoute, client: str) -> None:
        """Raise RateLimited while an earlier refusal holds; asks no store, so it may be called on the event loop."""
        now = time.monotonic()
        if now >= self._quiet_from:
            return
        until = self._refused_until.get((route, client))
        if until is not None and until > now:
            self._tell(route.name, "refused", client, 1)
            raise _refusal(route, until - now)

    def run(self, route: LimitedRoute, bulk: BulkFunction, batch: Sequence[tuple[str, Any]]) -> list[Any]:
        """``run_batch`` of the items that are admitted; the others have a RateLimited in their place.

        Args: batch: clients with their items. Waits for the store, so it belongs on a thread.
        """
        clients, items = zip(*batch, strict=True)
        short = self._short({(route, client): quantity for client, quantity in Counter(clients).items()})
        if not short:
            return run_batch(bulk, list(items))
        refused = _in_order([(route, client) for client in clients], short)
        admitted = [item for item, refusal in zip(items, refused, strict=True) if refusal is None]
        results = iter(run_batch(bulk, admitted) if admitted else ())
        return [next(results) if refusal is None else refusal for refusal in refused]

    def check(self, batch: Sequence[Asked]) -> list[RateLimited | None]:
        """For each request its refusal or None. Waits for the store, so it belongs on a thread."""
        return _in_order(batch, self._short(Counter(batch)))

    def _short(self, wanted: Mapping[Asked, int]) -> dict[Asked, Verdict]:
        """Who is to be refused some of what is wanted; a client's requests in a batch are one step."""
        if self.is_off:
            return {}
        verdicts = zip(wanted, self._count(wanted), strict=True)
        short = {asked: verdict for asked, verdict in verdicts if verdict.admitted < wanted[asked]}
        for asked, verdict in short.items():
            self._report(asked, wanted[asked] - verdict.admitted, verdict.wait_seconds)
        return {} if self._is_shadow else short

    def _count(self, wanted: Mapping[Asked, int]) -> list[Verdict]:
        if not LIMITS.is_open:
            try:
                return count_shared(wanted)
            except RedisError:
                logger.warning("rate_limit_store_failed", exc_info=True)
                LIMITS.open()
        return [self._count_alone(asked, quantity) for asked, quantity in wanted.items()]

    def _count_alone(self, asked: Asked, quantity: int) -> Verdict:
        route, client = asked
        return (
            Verdict(quantity, 0.0) if route.is_open_without_store else self._local.count(route.policy, client, quantity)
        )

    def _report(self, asked: Asked, requests: int, wait_seconds: float) -> None:
        route, client = asked
        self._tell(route.name, "shadow" if self._is_shadow else "refused", client, requests)
        if not self._is_shadow:
            until = time.monotonic() + wait_seconds
            self._refused_until.set(asked, until)
            self._quiet_from = max(self._quiet_from, until)


def _in_order(batch: Sequence[Asked], short: Mapping[Asked, Verdict]) -> list[RateLimited | None]:
    """The first requests of each client are admitted, as many as its verdict says."""
    left = {asked: verdict.admitted for asked, verdict in short.items()}
    refusals = {asked: _refusal(asked[0], verdict.wait_seconds) for asked, verdict in short.items()}
    outcomes: list[RateLimited | None] = []
    for asked in batch:
        is_refused = asked in left and left[asked] <= 0
        outcomes.append(refusals[asked] if is_refused else None)
        if asked in left:
            left[asked] -= 1
    return outcomes


def _refusal(route: LimitedRoute, wait_seconds: float) -> RateLimited:
    return RateLimited(route.policy.name, route.policy.per_second, WINDOW_SECONDS, wait_seconds)
