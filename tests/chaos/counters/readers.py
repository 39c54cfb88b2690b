"""A client that reads while others increment, and knows between which bounds each answer must lie."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from time import monotonic

from tests.chaos.connection import Answer, Connection, NoAnswer, get_request
from tests.chaos.counters.ledger import EFFECT_UNKNOWN, NOTHING_DONE, Ledger

WATCHED_KEYS = 20  # few, so that reads of one key follow each other closely
PAUSE_SECONDS = 0.05


class Readings:
    """Checks values of all readers against each other and against the ledgers; ``wrong`` has what cannot be."""

    def __init__(self) -> None:
        self.answers = 0
        self.wrong: list[str] = []
        self._highest: defaultdict[str, int] = defaultdict(int)

    def least(self, ledger: Ledger, key: str) -> int:
        """What a read that starts now must at least answer."""
        return max(self._highest[key], ledger.acknowledged[key])

    def check(self, ledger: Ledger, key: str, least: int, value: int) -> None:
        """Take the value of a read that has just ended, and for whose start ``least`` was asked."""
        self.answers += 1
        if not least <= value <= ledger.attempted[key]:
            self.wrong.append(f"{key} answered {value}, not {least} to {ledger.attempted[key]}")
        self._highest[key] = max(self._highest[key], value)


async def read_along(
    connection: Connection,
    ledgers: Sequence[Ledger],
    readings: Readings,
    rng: random.Random,
    until: float,
    strange: list[str],
) -> None:
    """Read one watched key after the other until the clock says ``until``."""
    while monotonic() < until:
        ledger = rng.choice(ledgers)
        key = rng.choice(ledger.keys[:WATCHED_KEYS])
        least = readings.least(ledger, key)
        value = await read_value(connection, key, strange)
        if value is None:
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            readings.check(ledger, key, least, value)


async def read_value(connection: Connection, key: str, strange: list[str]) -> int | None:
    """The counter's value; None when nobody answered or a store is away."""
    try:
        return _value_of(await connection.ask(get_request(f"/counters/{key}")))
    except (NoAnswer, OSError):
        return None
    except ValueError as error:
        strange.append(str(error))
        return None


def _value_of(answer: Answer) -> int | None:
    if answer.status == 200:
        return int(answer.content()["value"])
    if answer.status == 404:
        return 0
    if answer.status in (429, 503) and answer.content()["code"] in {*NOTHING_DONE, EFFECT_UNKNOWN}:
        return None
    raise ValueError(f"{answer.status} {answer.body.decode()}")
