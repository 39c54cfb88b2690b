"""Clients that increment: one that never repeats a request, and one that repeats it until it is acknowledged."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from time import monotonic
from uuid import UUID

from tests.chaos.connection import Connection, NoAnswer, post_request
from tests.chaos.counters.ledger import Increment, Ledger, Outcome, outcomes_of

INTERVAL_SECONDS = 0.03  # 64 clients: 2,000 requests/s, which leave two processors time to start parts again
BULK_SHARE, BULK_MOST = 0.05, 40
LARGE_SHARE, LARGE_KEYS = 0.002, 5  # a few keys get values that fill their pending sum, which then refuses the next
PATIENCE_SECONDS = 30.0  # for repeats after the end of the load


async def write_once(
    connection: Connection, ledger: Ledger, rng: random.Random, until: float, strange: list[str]
) -> None:
    """Send increments without Idempotency-Key until the clock says ``until``; odd answers go to ``strange``."""
    async for increments in _drawn(rng, ledger.keys, until):
        ledger.attempt(increments)
        outcomes = await _send(connection, _request(increments), len(increments), strange)
        ledger.record(increments, outcomes)
        if Outcome.ADDED not in outcomes:
            await _pause(rng)


async def write_until_acknowledged(
    connection: Connection, ledger: Ledger, rng: random.Random, until: float, strange: list[str]
) -> None:
    """The same with an Idempotency-Key for each request, and repeats until all of it was added."""
    async for increments in _drawn(rng, ledger.keys, until):
        request = _request(increments, str(UUID(int=rng.getrandbits(128))))
        ledger.attempt(increments)
        outcomes = await _send(connection, request, len(increments), strange)
        while set(outcomes) != {Outcome.ADDED} and monotonic() < until + PATIENCE_SECONDS:
            ledger.repeats += 1
            await _pause(rng)
            outcomes = await _send(connection, request, len(increments), strange)
        is_added = set(outcomes) == {Outcome.ADDED}  # else an earlier attempt may have added what the last one did not
        ledger.record(increments, [Outcome.ADDED if is_added else Outcome.UNKNOWN] * len(increments))


async def _drawn(rng: random.Random, keys: Sequence[str], until: float) -> AsyncIterator[list[Increment]]:
    """Increments for one request after the other, at a client's pace; what an outage delays is not made up for."""
    due_at = monotonic() + rng.uniform(0, INTERVAL_SECONDS)
    while due_at < until:
        await asyncio.sleep(due_at - monotonic())
        yield _draw(rng, keys)
        due_at = max(due_at + INTERVAL_SECONDS, monotonic())


def _draw(rng: random.Random, keys: Sequence[str]) -> list[Increment]:
    count = rng.randint(2, BULK_MOST) if rng.random() < BULK_SHARE else 1
    return [_draw_one(rng, keys) for _ in range(count)]


def _draw_one(rng: random.Random, keys: Sequence[str]) -> Increment:
    if rng.random() < LARGE_SHARE:
        return Increment(keys[rng.randrange(LARGE_KEYS)], rng.randint(2**61, 2**62))
    return Increment(rng.choice(keys), rng.randint(1, 1000))


def _request(increments: list[Increment], idempotency_key: str = "") -> bytes:
    items = [increment._asdict() for increment in increments]
    if len(items) == 1:
        return post_request("/increment", items[0], idempotency_key)
    return post_request("/increments", items, idempotency_key)


async def _send(connection: Connection, request: bytes, count: int, strange: list[str]) -> list[Outcome]:
    try:
        return outcomes_of(await connection.ask(request), count)
    except NoAnswer:
        return [Outcome.UNKNOWN] * count
    except OSError:  # it did not leave
        return [Outcome.REFUSED] * count
    except ValueError as error:
        strange.append(str(error))
        return [Outcome.UNKNOWN] * count


async def _pause(rng: random.Random) -> None:
    """After anything but success: an open circuit answers at once, and would only be asked more often."""
    await asyncio.sleep(rng.uniform(0.1, 0.3))
