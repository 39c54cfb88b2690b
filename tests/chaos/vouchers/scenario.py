"""64 connections that race for vouchers, and what must be true of the books afterwards."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from functools import partial
from time import monotonic

import httpx
import uvloop

from tests.acceptance.harness import Stack, wait_until
from tests.chaos.connection import Connection
from tests.chaos.scenario import Verdict
from tests.chaos.vouchers.books import read_books
from tests.chaos.vouchers.crowd import Attempt, Offer, offers, plan_attempts
from tests.chaos.vouchers.judging import (
    miscredited,
    not_as_told,
    not_told,
    off_limit,
    redeemed_twice,
    wrongly_refused,
)
from tests.chaos.vouchers.redeemers import redeem_as_due
from tests.chaos.vouchers.told import Told

EXACTLY_THE_LIMIT = "each voucher is redeemed exactly as often as its limit says"
ONCE_PER_USER = "no user redeems a voucher twice"
KEPT_AS_TOLD = "every redemption that was answered exists, with the id that was answered"
ALL_ANSWERED = "repeating a redemption gets it answered, and nobody has one without knowing"
REFUSED_RIGHTLY = "nobody is refused before the last place is taken, nor who has a place"
CREDITED_ONCE = "each redemption is credited exactly once, and balances are the sums of that"
RECONCILED = "reconcile agrees"
NO_ERROR = "every answer about vouchers is one that the contract names, and none is a 500"

CLIENTS = 64
PATIENCE_SECONDS = 30.0  # for repeats after the end of the load


class VouchersScenario:
    """See tests.chaos.scenario.Scenario. Args: limit: of each voucher."""

    targets: tuple[str, ...] = ("worker-events",)

    def __init__(self, vouchers: int = 20, limit: int = 300, users: int = 5_000) -> None:
        self._offers = offers(vouchers, limit)
        self._users = users
        self._told = Told(self._offers)
        self._statuses: Counter[int] = Counter()

    def load(self, stack: Stack, rng: random.Random, seconds: float) -> None:
        _create(stack, self._offers)
        attempts = plan_attempts(rng, self._offers, self._users, seconds)
        uvloop.run(self._redeem(stack.port, attempts, rng, seconds))

    async def _redeem(self, port: int, attempts: Sequence[Attempt], rng: random.Random, seconds: float) -> None:
        connections = [Connection(port, self._statuses) for _ in range(CLIENTS)]
        started, due = monotonic(), iter(attempts)
        until = started + seconds + PATIENCE_SECONDS
        await asyncio.gather(*(redeem_as_due(each, due, self._told, rng, started, until) for each in connections))
        self._told.open.extend(due)
        for connection in connections:
            connection.close()

    def progress(self) -> str:
        told = self._told
        return f"vouchers: {len(told.ids):,} redeemed, {len(told.refused_at):,} refused, {told.unknown:,} unanswered"

    def verdicts(self, stack: Stack) -> list[Verdict]:
        told, books, wanted = self._told, read_books(stack), self._offers
        total = sum(balance for balance in books.balances.values())
        return [
            _verdict(EXACTLY_THE_LIMIT, f"{len(wanted)} vouchers for {wanted[0].limit}", off_limit(wanted, books)),
            _verdict(ONCE_PER_USER, f"{len(books.redemptions):,} redemptions", redeemed_twice(told, books)),
            _verdict(KEPT_AS_TOLD, f"{len(told.ids):,} answered", not_as_told(told, books)),
            _verdict(ALL_ANSWERED, f"{told.unknown:,} without an answer were repeated", not_told(told, books)),
            _verdict(REFUSED_RIGHTLY, f"{len(told.refused_at):,} refused", wrongly_refused(told, books)),
            _verdict(CREDITED_ONCE, f"{len(books.transfers):,} transfers, {total} in all", miscredited(wanted, books)),
            _reconciled(stack),
            _verdict(NO_ERROR, _counts(self._statuses), told.strange),
        ]


def _create(stack: Stack, wanted: Sequence[Offer]) -> None:
    """The first kill may come meanwhile."""
    with httpx.Client(base_url=stack.url, timeout=10) as client:
        for offer in wanted:
            wait_until(partial(_is_created, client, offer), f"voucher {offer.code}", PATIENCE_SECONDS)


def _is_created(client: httpx.Client, offer: Offer) -> bool:
    content = {"code": offer.code, "amount": float(offer.amount), "limit": offer.limit}
    try:
        answer = client.post("/api/vouchers", json=content, headers={"Idempotency-Key": offer.code})
    except httpx.HTTPError:
        return False
    return answer.status_code == 201


def _verdict(promise: str, evidence: str, wrong: Sequence[str]) -> Verdict:
    examples = f"; {len(wrong):,} wrong: {'; '.join(wrong[:3])}" if wrong else ""
    return Verdict(promise, evidence + examples, not wrong)


def _reconciled(stack: Stack) -> Verdict:
    done = stack.manage("reconcile")
    return Verdict(RECONCILED, (done.stdout + done.stderr).strip()[:500], done.returncode == 0)


def _counts(statuses: Counter[int]) -> str:
    return ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
