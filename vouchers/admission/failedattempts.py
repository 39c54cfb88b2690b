"""Failed attempts: who is refused too often is not answered for a while: codes must not be found by trying.

Counts refusals per user and per address in the cache Valkey, and reads of codes that are not there per account or
address. Refusals by a flag of this process are not counted: they repeat what somebody was told within the last second,
so they find nothing, and the late-comers of a popular voucher who share an address would throttle each other. For the
same reason a code is counted once a minute for each subject. Without the store nobody is throttled.

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
SUBJECTS_KEPT = 10_000
FAILED_ATTEMPTS_KEPT = 20_000
Subject = tuple[str, str]  # "user", "address" or "account", and which
Attempt = Redeem | Lookup

_throttled_until: Recent[Subject, float] = Recent(SUBJECTS_KEPT)
_quiet_from = 0.0  # when the last refusal ends; before any look-up, as nearly always nobody is throttled
_counted_until: Recent[tuple[Subject, str], float] = Recent(FAILED_ATTEMPTS_KEPT)  # by subject and code


def known_throttling(item: Attempt) -> RateLimited | None:
    """The refusal of one who is throttled, as far as this process knows; asks nobody."""
    now = time.monotonic()
    if now >= _quiet_from:
        return None
    for subject in _subjects(item):
        until = _throttled_until.get(subject)
        if until is not None and until > now:
            return _refusal(subject, until - now)
    return None


def tries_of(wanted: Iterable[Attempt]) -> dict[Subject, int]:
    """How many of these requests count for each subject; none where nobody is throttled."""
    if settings.RATE_LIMIT != "on":
        return {}
    return Counter(subject for item in wanted for subject in _subjects(item))


def throttled(
    wanted: Sequence[Attempt], tries: Mapping[Subject, int], left: Mapping[Subject, int]
) -> dict[int, RateLimited]:
    """Refusals by their indexes in ``wanted``: of those who were refused too often, and of the codes for which one has
    no attempts left, since nobody knows yet which of them will be refused.

    Args: tries: ``tries_of`` them; left: failed attempts that each has left.
    """
    if all(left.get(subject, 0) >= most for subject, most in tries.items()):
        return {}
    tried: dict[Subject, set[str]] = {subject: set() for subject in left}
    refusals = ((index, known_throttling(item) or _beyond(item, left, tried)) for index, item in enumerate(wanted))
    return {index: refusal for index, refusal in refusals if refusal}


def throttled_lookups(wanted: Sequence[Lookup]) -> dict[int, RateLimited]:
    """The same for reads."""
    tries = tries_of(wanted)
    return throttled(wanted, tries, _ask(dict.fromkeys(tries, 0))) if tries else {}


def _beyond(item: Attempt, left: Mapping[Subject, int], tried: Mapping[Subject, set[str]]) -> RateLimited | None:
    """The refusal of an item whose code is one too many; else the code is tried."""
    subjects = [
        subject
        for subject in _subjects(item)
        if subject in left and item.code not in tried[subject] and not _is_counted(subject, item.code)
    ]
    for subject in subjects:
        if len(tried[subject]) >= left[subject]:
            return _refusal(subject, WINDOW_SECONDS / _limit(subject))
    for subject in subjects:
        tried[subject].add(item.code)
    return None


def count_failed_attempts(refused: Iterable[Attempt]) -> None:
    """Count requests whose code was unavailable or not there: each code once a minute for each subject.

    A crowd behind one address that comes too late for one voucher has one failed attempt.
    """
    until = time.monotonic() + WINDOW_SECONDS
    tried = {(subject, item.code) for item in refused for subject in _subjects(item)}
    fresh = [attempt for attempt in tried if not _is_counted(*attempt)]
    if settings.RATE_LIMIT != "off" and fresh and _ask(Counter(subject for subject, _ in fresh)):
        for attempt in fresh:
            _counted_until.set(attempt, until)


def _is_counted(subject: Subject, code: str) -> bool:
    return (_counted_until.get((subject, code)) or 0.0) > time.monotonic()


@contextmanager
def counted_lookup(item: Lookup) -> Iterator[None]:
    """Around one read: VoucherNotFound is a failed attempt. Raises RateLimited instead of reading."""
    for refusal in throttled_lookups([item]).values():
        raise refusal
    try:
        yield
    except VoucherNotFound:
        count_failed_attempts([item])
        raise


def _ask(failed: Mapping[Subject, int]) -> dict[Subject, int]:
    """Count these, and answer how many each has left; nothing while the store does not answer."""
    arguments = [part for subject, more in failed.items() for part in (_limit(subject), WINDOW_SECONDS, more)]
    debts = ask_cache(_script(), list(map(failed_attempts_key, failed)), arguments)
    return {} if debts is None else attempts_left(failed, debts)


def failed_attempts_key(subject: Subject) -> str:
    return valkey.key(POLICY, *subject)


def attempts_left(subjects: Iterable[Subject], debts: Iterable[int]) -> dict[Subject, int]:
    """How many each has left of whom the store knows the debt; notes who has none."""
    return {subject: _left(subject, debt) for subject, debt in zip(subjects, debts, strict=True)}


def _left(subject: Subject, debt: int) -> int:
    """Failed attempts that are left after ``debt`` microseconds' worth of them; notes who has none."""
    global _quiet_from
    limit = _limit(subject)
    left = max(0, _WINDOW - debt) * limit // _WINDOW
    if left == 0 and settings.RATE_LIMIT == "on":
        until = time.monotonic() + (debt - _WINDOW + _WINDOW / limit) / 1e6
        _throttled_until.set(subject, until)
        _quiet_from = max(_quiet_from, until)
    return left


def _subjects(item: Attempt) -> tuple[Subject, ...]:
    if isinstance(item, Lookup) and item.account:
        return (("account", item.account),)
    address = (("address", network_of(item.address)),) if item.address else ()
    return address if isinstance(item, Lookup) else (("user", item.account + item.phone_number), *address)


def _limit(subject: Subject) -> int:
    limit: int = settings.VOUCHER_GUESSES_PER_USER if subject[0] == "user" else settings.VOUCHER_GUESSES_PER_ADDRESS
    return limit


def _refusal(subject: Subject, wait_seconds: float) -> RateLimited:
    return RateLimited(f"{POLICY}-per-{subject[0]}", _limit(subject), WINDOW_SECONDS, wait_seconds)


@cache
def _script() -> Script:
    return valkey.cache_store().register_script(load_lua(Path(__file__).parents[1] / "lua" / "failedattempts.lua"))
