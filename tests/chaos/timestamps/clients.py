"""Clients that append, once or until acknowledged, and clients that read what others were handed."""

import asyncio
import random
from datetime import datetime
from time import monotonic

from tests.chaos.connection import Connection, NoAnswer, get_request
from tests.chaos.timestamps.commands import Command, Told, draw_command

INTERVAL_SECONDS = 0.05  # 32 clients: 640 requests/s, which leave two processors time to start parts again
PATIENCE_SECONDS = 30.0  # for repeats after the end of the load
READ_SHARE = 0.2  # of what is acknowledged is read at once


class Readings:
    """Answers of reads of ids that were handed out before; ``wrong`` has those that cannot be."""

    def __init__(self) -> None:
        self.answers = 0
        self.wrong: list[str] = []

    def check(self, id: str, instant: datetime, status: int, content: dict[str, str]) -> bool:
        """Whether the record came; a store that is away is no answer."""
        if status == 503:
            return False
        self.answers += 1
        if status != 200 or content["id"] != id or datetime.fromisoformat(content["event_timestamp"]) != instant:
            self.wrong.append(f"{id} of {instant} answered {status} {content}")
        return True


async def append_commands(
    connection: Connection, told: Told, readings: Readings, rng: random.Random, until: float, *, keyed: bool
) -> None:
    """One command after the other; those with a key are repeated until they are acknowledged."""
    due_at = monotonic() + rng.uniform(0, INTERVAL_SECONDS)
    while due_at < until:
        await asyncio.sleep(due_at - monotonic())
        command = draw_command(rng, keyed=keyed)
        is_known = await _append(connection, told, command)
        while keyed and not is_known and monotonic() < until + PATIENCE_SECONDS:
            told.repeats += 1
            await asyncio.sleep(rng.uniform(0.1, 0.3))
            is_known = await _append(connection, told, command)
        if is_known and rng.random() < READ_SHARE:
            await read_record(connection, told, readings, rng.choice(told.ids[command]))
        due_at = max(due_at + INTERVAL_SECONDS, monotonic())


async def _append(connection: Connection, told: Told, command: Command) -> bool:
    try:
        return told.note(command, await connection.ask(command.request()))
    except NoAnswer:
        told.unanswered.add(command)
    except OSError:  # it did not leave; open circuits would only be asked more often
        await asyncio.sleep(0.1)
    return False


async def read_along(connection: Connection, told: Told, readings: Readings, rng: random.Random, until: float) -> None:
    """Read ids of all ages until the clock says ``until``."""
    while monotonic() < until:
        await asyncio.sleep(0.02)
        if told.ordered:
            recent = told.ordered[-200:] if rng.random() < 0.5 else told.ordered
            await read_record(connection, told, readings, rng.choice(recent))


async def read_record(connection: Connection, told: Told, readings: Readings, id: str) -> bool:
    """Whether it was answered."""
    try:
        answer = await connection.ask(get_request(f"/api/v1/timestamp/{id}"))
    except (NoAnswer, OSError):
        await asyncio.sleep(0.1)
        return False
    return readings.check(id, told.sure[id], answer.status, answer.content())
