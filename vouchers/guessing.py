"""Who is refused too often is not answered for a while: codes must not be found by trying.

Counts refusals per user and per address in the cache Valkey. Refusals by a flag of this process are not counted: they
repeat what somebody was told within the last second, so they find nothing, and the late-comers of a popular voucher who
share an address would throttle each other. Without the store nobody is throttled.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from redis.commands.core import Script
from redis.exceptions import RedisError

from common import valkey
from common.stores import CACHE
from gateway.clients import network_of
from gateway.errors import RateLimited
from gateway.ratelimits.recent import Recent
from vouchers.types import Redeem

logger = logging.getLogger(__name__)

POLICY = "guesses"
WINDOW_SECONDS = 60
GUESSERS_KEPT = 10_000
Guesser = tuple[str, str]  # "user" or "address", and which

_throttled_until: Recent[Guesser, float] = Recent(GUESSERS_KEPT)


def known_guesser(item: Redeem) -> RateLimited | None:
    """The refusal of a user or address that is throttled, as far as this process knows; asks nobody."""
    now = time.monotonic()
    for guesser in _guessers(item):
        until = _throttled_until.get(guesser)
        if until is not None and until > now:
            return _refusal(guesser, until - now)
    return None


def throttled(wanted: Sequence[Redeem]) -> dict[int, RateLimited]:
    """Refusals of those who were refused too often, by their places in ``wanted``."""
    if settings.RATE_LIMIT != "on":
        return {}
    _ask(dict.fromkeys((guesser for item in wanted for guesser in _guessers(item)), 0))
    refusals = ((place, known_guesser(item)) for place, item in enumerate(wanted))
    return {place: refusal for place, refusal in refusals if refusal}


def count_guesses(refused: Iterable[Redeem]) -> None:
    """Count requests that were answered with VoucherUnavailable: of a batch, each code once for each guesser.

    A crowd behind one address that comes too late for one voucher guesses nothing.
    """
    tried = {(guesser, item.code) for item in refused for guesser in _guessers(item)}
    if settings.RATE_LIMIT != "off" and tried:
        _ask(Counter(guesser for guesser, _ in tried))


def _ask(guesses: Mapping[Guesser, int]) -> None:
    if CACHE.is_open:
        return
    arguments = [part for guesser, more in guesses.items() for part in (_limit(guesser), WINDOW_SECONDS, more)]
    try:
        waits = cast(list[int], _script()(keys=[valkey.key(POLICY, *guesser) for guesser in guesses], args=arguments))
    except RedisError:
        logger.warning("guess_store_failed", exc_info=True)
        CACHE.open()
        return
    now = time.monotonic()
    for guesser, microseconds in zip(guesses, waits, strict=True):
        if microseconds and settings.RATE_LIMIT == "on":
            _throttled_until.set(guesser, now + microseconds / 1e6)


def _guessers(item: Redeem) -> tuple[Guesser, ...]:
    user = ("user", item.phone_number)
    return (user, ("address", network_of(item.address))) if item.address else (user,)


def _limit(guesser: Guesser) -> int:
    limit: int = settings.VOUCHER_GUESSES_PER_USER if guesser[0] == "user" else settings.VOUCHER_GUESSES_PER_ADDRESS
    return limit


def _refusal(guesser: Guesser, wait_seconds: float) -> RateLimited:
    return RateLimited(f"{POLICY}-per-{guesser[0]}", _limit(guesser), WINDOW_SECONDS, wait_seconds)


@cache
def _script() -> Script:
    text: Any = (Path(__file__).parent / "lua" / "guesses.lua").read_text(encoding="utf-8")
    return valkey.cache_store().register_script(text)
