"""Clients that redeem: each takes the next attempt that is due, and repeats it until it is answered."""

import asyncio
import random
import time
from collections.abc import Iterator
from time import monotonic

from tests.chaos.connection import Connection, NoAnswer, post_request
from tests.chaos.vouchers.crowd import Attempt
from tests.chaos.vouchers.told import Told


async def redeem_as_due(
    connection: Connection, attempts: Iterator[Attempt], told: Told, rng: random.Random, started: float, until: float
) -> None:
    """Until no attempt is left, or the clock says ``until``: those without an answer then stay open.

    Args: attempts: shared by all clients, so that what an outage holds up comes in one rush; started: on the clock.
    """
    for attempt in attempts:
        await asyncio.sleep(started + attempt.due_seconds - monotonic())
        told.open.append(attempt)
        if await _is_answered(connection, attempt, told, rng, until):
            told.open.remove(attempt)


async def _is_answered(connection: Connection, attempt: Attempt, told: Told, rng: random.Random, until: float) -> bool:
    content = {"phone_number": attempt.wish.phone_number, "code": attempt.wish.code}
    request = post_request("/api/vouchers/redeem", content, attempt.idempotency_key)
    while monotonic() < until:
        try:
            if told.note(attempt, await connection.ask(request), time.time()):
                return True
        except NoAnswer:
            told.unknown += 1
        except OSError:
            pass  # it did not leave
        await asyncio.sleep(
            rng.uniform(0.1, 0.3)
        )  # an open circuit answers at once, and would only be asked more often
    return False
