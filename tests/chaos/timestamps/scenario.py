"""32 connections that append, some readers, and the promises about what becomes of it."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from time import monotonic, sleep

import psycopg
import uvloop

from tests.acceptance.harness import Stack, wait_until
from tests.chaos.connection import Connection
from tests.chaos.scenario import Verdict
from tests.chaos.timestamps.clients import Readings, append_commands, read_along, read_record
from tests.chaos.timestamps.commands import Command, Told

ONE_ROW = "every id that was handed out has exactly one row, with its instant and correlation id"
ONCE_WITH_KEY = "with an Idempotency-Key and repeats, every command is appended exactly once"
NOTHING_ELSE = "no command has more rows than it asked for, and nothing else has any"
NEVER_404 = "no read of an id that was handed out says that there is none, or another instant"
READABLE = "afterwards, each of them is read"
NO_ERROR = "every answer about timestamps is one that the contract names, and none is a 500"

APPENDERS = 32
READERS = 4
PERSIST_SECONDS = 30.0
FINAL_READS = 2_000
Row = tuple[str, datetime, str]


class TimestampsScenario:
    """See tests.chaos.scenario.Scenario."""

    targets: tuple[str, ...] = ("worker-events", "worker-events child")

    def __init__(self) -> None:
        self._told = Told()
        self._readings = Readings()

    def load(self, stack: Stack, rng: random.Random, seconds: float) -> None:
        uvloop.run(self._append_and_read(stack.port, rng, monotonic() + seconds))

    async def _append_and_read(self, port: int, rng: random.Random, until: float) -> None:
        connections = [Connection(port, self._told.statuses) for _ in range(APPENDERS + READERS)]
        works = []
        for number, connection in enumerate(connections):
            shared = (connection, self._told, self._readings, random.Random(rng.getrandbits(64)), until)
            works.append(append_commands(*shared, keyed=number % 2 == 1) if number < APPENDERS else read_along(*shared))
        await asyncio.gather(*works)
        for connection in connections:
            connection.close()

    def progress(self) -> str:
        told = self._told
        return (
            f"timestamps: {len(told.sure):,} ids, {len(told.unanswered):,} unanswered, {self._readings.answers:,} reads"
        )

    def verdicts(self, stack: Stack) -> list[Verdict]:
        rows = self._persisted_rows(stack)
        told = self._told
        unread = uvloop.run(self._read_all(stack.port))
        return [
            _verdict(ONE_ROW, f"{len(told.sure):,} ids, {len(rows):,} rows", _lost(told, rows)),
            _verdict(ONCE_WITH_KEY, f"{told.repeats:,} repeats", _not_once(told, rows)),
            _verdict(NOTHING_ELSE, f"{len(told.unanswered):,} unanswered", _too_many(told, rows)),
            _verdict(READABLE, f"{min(FINAL_READS, len(told.sure)):,} reads", unread),
            _verdict(NEVER_404, f"{self._readings.answers:,} reads", self._readings.wrong),
            _verdict(NO_ERROR, _counts(told.statuses), told.strange),
        ]

    def _persisted_rows(self, stack: Stack) -> dict[str, Row]:
        """By id, as soon as all that was handed out has come, or will not any more."""
        wanted = self._told.sure.keys()
        until = monotonic() + PERSIST_SECONDS
        rows = read_rows(stack)
        while wanted - rows.keys() and monotonic() < until:
            sleep(0.3)
            rows = read_rows(stack)
        return rows

    async def _read_all(self, port: int) -> list[str]:
        connection = Connection(port, self._told.statuses)
        ids = self._told.ordered[-FINAL_READS:]
        unread = [id for id in ids if not await read_record(connection, self._told, self._readings, id)]
        connection.close()
        return unread


def read_rows(stack: Stack) -> dict[str, Row]:
    """Id, instant and correlation id of the live table. Raises OperationalError after a while without PostgreSQL."""
    rows: dict[str, Row] = {}

    def are_read() -> bool:
        try:
            with psycopg.connect(stack.database_url, connect_timeout=5) as connection:
                number = connection.execute("SELECT number FROM timestamps_recordtable WHERE state = 'live'").fetchone()
                query = "SELECT command_id::text, event_timestamp, correlation_id::text FROM timestamps_record_{}"
                rows.update((row[0], row) for row in connection.execute(query.format(*number or ())))
        except psycopg.OperationalError:
            return False
        return True

    wait_until(are_read, "rows of timestamps", PERSIST_SECONDS)
    return rows


def _lost(told: Told, rows: dict[str, Row]) -> list[str]:
    expected = {
        id: (id, instant, command.correlation_id)
        for command, ids in told.ids.items()
        for id, instant in zip(ids, command.instants, strict=False)
    }
    return [f"{row} is {rows.get(id)}" for id, row in expected.items() if rows.get(id) != row]


def _not_once(told: Told, rows: dict[str, Row]) -> list[str]:
    counts = _by_correlation_id(rows)
    keyed = [command for command in told.ids if command.idempotency_key]
    wrong = [_misfit(command, counts) for command in keyed if counts[command.correlation_id] != len(command.instants)]
    return wrong + [f"{command} was never acknowledged" for command in told.unanswered if command.idempotency_key]


def _too_many(told: Told, rows: dict[str, Row]) -> list[str]:
    counts = _by_correlation_id(rows)
    asked = {command.correlation_id: command for command in (*told.ids, *told.unanswered)}
    wrong = [_misfit(each, counts) for id, each in asked.items() if counts[id] not in _possible(each, told)]
    return wrong + [f"{id} has rows and was not sent" for id in counts.keys() - asked.keys()]


def _possible(command: Command, told: Told) -> set[int]:
    """A command is appended wholly or not at all."""
    return {len(command.instants)} if command in told.ids else {0, len(command.instants)}


def _misfit(command: Command, counts: Counter[str]) -> str:
    return f"{command.correlation_id} has {counts[command.correlation_id]} rows for {len(command.instants)}"


def _by_correlation_id(rows: dict[str, Row]) -> Counter[str]:
    return Counter(correlation_id for _, _, correlation_id in rows.values())


def _verdict(promise: str, evidence: str, wrong: Sequence[str]) -> Verdict:
    examples = f"; {len(wrong):,} wrong: {'; '.join(wrong[:3])}" if wrong else ""
    return Verdict(promise, evidence + examples, not wrong)


def _counts(statuses: Counter[int]) -> str:
    return ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
