"""Who asks for which voucher, and when."""

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

FIRST_USED_UP, LAST_USED_UP = 0.1, 0.9  # shares of the time: there is a race for last places whenever a part is killed
KEY_SHARE = 0.5
REPEAT_SHARE, AT_ONCE_SHARE = 0.3, 0.5


class Offer(NamedTuple):
    """A voucher. Each has another amount, so that a mix-up shows in the balances."""

    code: str
    amount: Decimal
    limit: int


class Wish(NamedTuple):
    """One user's for one voucher."""

    phone_number: str
    code: str


class Attempt(NamedTuple):
    """A request that is sent until it is answered.

    Attributes: due_seconds: from the start of the load; idempotency_key: the same in all attempts at a wish, or none.
    """

    due_seconds: float
    wish: Wish
    idempotency_key: str


def offers(count: int, limit: int) -> list[Offer]:
    return [Offer(f"CHAOS-{number}", Decimal("1.01") * number, limit) for number in range(1, count + 1)]


def plan_attempts(rng: random.Random, wanted: Sequence[Offer], users: int, seconds: float) -> list[Attempt]:
    """In the order in which they are due. More users wish for each voucher than it has places, the first ones most."""
    attempts = []
    for number, offer in enumerate(wanted):
        used_up_at = FIRST_USED_UP + (LAST_USED_UP - FIRST_USED_UP) * number / max(1, len(wanted) - 1)
        for user in rng.sample(range(users), min(users, int(offer.limit / used_up_at))):
            attempts += _attempts_at(rng, Wish(f"+4915{user:09d}", offer.code), seconds)
    return sorted(attempts)


def _attempts_at(rng: random.Random, wish: Wish, seconds: float) -> list[Attempt]:
    """Some users ask twice: at the same moment, on another connection, or some time later."""
    first = Attempt(rng.uniform(0, seconds), wish, str(UUID(int=rng.getrandbits(128))) * (rng.random() < KEY_SHARE))
    if rng.random() >= REPEAT_SHARE:
        return [first]
    is_at_once = rng.random() < AT_ONCE_SHARE
    return [first, first if is_at_once else first._replace(due_seconds=rng.uniform(first.due_seconds, seconds))]
