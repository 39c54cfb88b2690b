"""Who is refused too often is not answered for a while: codes must not be found by trying.

Counts refusals per user and per address in the cache Valkey, and reads of codes that are not there per account or
address. Refusals by a flag of this process are not counted: they repeat what somebody was told within the last second,
so they find nothing, and the late-comers of a popular voucher who share an address would throttle each other. For the
same reason a code is counted once a minute for each guesser. Without the store nobody is throttled.

An API key speaks for many users, of whom one who tries codes must not lock out all others: what is redeemed with it
counts for the user alone. A user of a key is not the one whose number somebody without it gives: that may be anybody.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from django.conf import settings
from redis.commands.core import Script

from common.errors import RateLimited
from common.network.addresses import network_of
from common.recent import Recent
from common.stores import valkey
from common.stores.luafiles import load_lua
from vouchers.admission.cachecalls import ask_cache
from vouchers.errors import VoucherNotFound
from vouchers.types import Lookup, Redeem

POLICY = "guesses"
WINDOW_SECONDS = 60
_WINDOW = WINDOW_SECONDS * 1_000_000  # in microseconds
GUESSERS_KEPT = 10_000
GUESSES_KEPT = 20_000
Guesser = tuple[str, str]  # "user", "address" or "account", and which
Attempt = Redeem | Lookup

_throttled_until: Recent[Guesser, float] = Recent(GUESSERS_KEPT)
_quiet_from = 0.0  # when the last refusal ends; before any look-up, as nearly always nobody is throttled
_counted_until: Recent[tuple[Guesser, str], float] = Recent(GUESSES_KEPT)  # by guesser and code


def known_guesser(item: Attempt) -> RateLimited | None:
    """The refusal of one who is throttled, as far as this process knows; asks nobody."""
    now = time.monotonic()
    if now >= _quiet_from:
        return None
    for guesser in _guessers(item):
        until = _throttled_until.get(guesser)
        if until is not None and until > now:
            return _refusal(guesser, until - now)
    return None


def tries_of(wanted: Iterable[Attempt]) -> dict[Guesser, int]:
    """How many of these requests count for each guesser; none where nobody is throttled."""
    if settings.RATE_LIMIT != "on":
        return {}
    return Counter(guesser for item in wanted for guesser in _guessers(item))


def throttled(
    wanted: Sequence[Attempt], tries: Mapping[Guesser, int], left: Mapping[Guesser, int]
) -> dict[int, RateLimited]:
    """Refusals by their places in ``wanted``: of those who were refused too often, and of the codes for which one has
    no guesses left, since nobody knows yet which of them will be refused.

    Args: tries: ``tries_of`` them; left: guesses that each has left.
    """
    if all(left.get(guesser, 0) >= most for guesser, most in tries.items()):
        return {}
    tried: dict[Guesser, set[str]] = {guesser: set() for guesser in left}
    refusals = ((place, known_guesser(item) or _beyond(item, left, tried)) for place, item in enumerate(wanted))
    return {place: refusal for place, refusal in refusals if refusal}


def throttled_lookups(wanted: Sequence[Lookup]) -> dict[int, RateLimited]:
    """The same for reads."""
    tries = tries_of(wanted)
    return throttled(wanted, tries, _ask(dict.fromkeys(tries, 0))) if tries else {}


def _beyond(item: Attempt, left: Mapping[Guesser, int], tried: Mapping[Guesser, set[str]]) -> RateLimited | None:
    """The refusal of an item whose code is one too many; else the code is tried."""
    guessers = [
        guesser
        for guesser in _guessers(item)
        if guesser in left and item.code not in tried[guesser] and not _is_counted(guesser, item.code)
    ]
    for guesser in guessers:
        if len(tried[guesser]) >= left[guesser]:
            return _refusal(guesser, WINDOW_SECONDS / _limit(guesser))
    for guesser in guessers:
        tried[guesser].add(item.code)
    return None


def count_guesses(refused: Iterable[Attempt]) -> None:
    """Count requests whose code was unavailable or not there: each code once a minute for each guesser.

    A crowd behind one address that comes too late for one voucher guesses nothing.
    """
    until = time.monotonic() + WINDOW_SECONDS
    tried = {(guesser, item.code) for item in refused for guesser in _guessers(item)}
    fresh = [guess for guess in tried if not _is_counted(*guess)]
    if settings.RATE_LIMIT != "off" and fresh and _ask(Counter(guesser for guesser, _ in fresh)):
        for guess in fresh:
            _counted_until.set(guess, until)


def _is_counted(guesser: Guesser, code: str) -> bool:
    return (_counted_until.get((guesser, code)) or 0.0) > time.monotonic()


@contextmanager
def counted_lookup(item: Lookup) -> Iterator[None]:
    """Around one read: VoucherNotFound is a guess. Raises RateLimited instead of reading."""
    for refusal in throttled_lookups([item]).values():
        raise refusal
    try:
        yield
    except VoucherNotFound:
        count_guesses([item])
        raise


def _ask(guesses: Mapping[Guesser, int]) -> dict[Guesser, int]:
    """Count these, and answer how many each has left; nothing while the store does not answer."""
    arguments = [part for guesser, more in guesses.items() for part in (_limit(guesser), WINDOW_SECONDS, more)]
    debts = ask_cache(_script(), list(map(guesses_key, guesses)), arguments)
    return {} if debts is None else guesses_left(guesses, debts)


def guesses_key(guesser: Guesser) -> str:
    return valkey.key(POLICY, *guesser)


def guesses_left(guessers: Iterable[Guesser], debts: Iterable[int]) -> dict[Guesser, int]:
    """How many each has left of whom the store knows the debt; notes who has none."""
    return {guesser: _left(guesser, debt) for guesser, debt in zip(guessers, debts, strict=True)}


def _left(guesser: Guesser, debt: int) -> int:
    """Guesses that are left after ``debt`` microseconds' worth of them; notes who has none."""
    global _quiet_from
    limit = _limit(guesser)
    left = max(0, _WINDOW - debt) * limit // _WINDOW
    if left == 0 and settings.RATE_LIMIT == "on":
        until = time.monotonic() + (debt - _WINDOW + _WINDOW / limit) / 1e6
        _throttled_until.set(guesser, until)
        _quiet_from = max(_quiet_from, until)
    return left


def _guessers(item: Attempt) -> tuple[Guesser, ...]:
    if isinstance(item, Lookup) and item.account:
        return (("account", item.account),)
    address = (("address", network_of(item.address)),) if item.address else ()
    return address if isinstance(item, Lookup) else (("user", item.account + item.phone_number), *address)


def _limit(guesser: Guesser) -> int:
    limit: int = settings.VOUCHER_GUESSES_PER_USER if guesser[0] == "user" else settings.VOUCHER_GUESSES_PER_ADDRESS
    return limit


def _refusal(guesser: Guesser, wait_seconds: float) -> RateLimited:
    return RateLimited(f"{POLICY}-per-{guesser[0]}", _limit(guesser), WINDOW_SECONDS, wait_seconds)


@cache
def _script() -> Script:
    return valkey.cache_store().register_script(load_lua(Path(__file__).parents[1] / "lua" / "guesses.lua"))
