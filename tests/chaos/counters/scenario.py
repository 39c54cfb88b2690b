"""64 connections that increment, some readers, and the seven promises about what becomes of it."""

import asyncio
import random
import threading
from collections import Counter
from time import monotonic, sleep
from uuid import UUID

import psycopg
import uvloop

from counters.health import STALE_SECONDS
from tests.acceptance.harness import Stack
from tests.chaos.connection import Connection
from tests.chaos.counters.ledger import Ledger, Outcome
from tests.chaos.counters.readers import Readings, read_along, read_value
from tests.chaos.counters.staleness import Staleness
from tests.chaos.counters.writers import write_once, write_until_acknowledged
from tests.chaos.scenario import Verdict

COUNTED_ONCE = "every acknowledged increment is in the database exactly once"
COUNTED_ONCE_WITH_KEY = "with an Idempotency-Key and repeats, the database has exactly what was sent"
READS_RISE = "reads never go down, nor below what was acknowledged before them"
READS_AGREE = "afterwards, reads answer what the database has"
NEVER_STALE = "the database is at most 10 s behind while PostgreSQL is up"
ALL_FLUSHED = "10 s after the load, nothing waits for the database"
NO_ERROR = "every answer is one that the contract names, and none is a 500"

KEYS = 1_000  # in each of the two sets
WRITERS = 64
READERS = 4
LATE_SECONDS = 3.0  # a request without an answer ends at its deadline of 1.5 s and its store's timeouts of 1 s
FINAL_READ_SECONDS = 30.0


class CountersScenario:
    """See tests.chaos.scenario.Scenario."""

    targets: tuple[str, ...] = ("worker-flush", "worker-flush child")

    def __init__(self) -> None:
        self._plain, self._keyed = Ledger([]), Ledger([])
        self._readings = Readings()
        self._statuses: Counter[int] = Counter()
        self._strange: list[str] = []
        self._staleness: Staleness | None = None
        self._drained_seconds: float | None = None

    def load(self, stack: Stack, rng: random.Random, seconds: float) -> None:
        self._plain, self._keyed = Ledger(_random_keys(rng)), Ledger(_random_keys(rng))
        self._staleness = staleness = Staleness(stack)
        stop = threading.Event()
        watching = threading.Thread(target=staleness.watch, args=(stop,))
        watching.start()
        try:
            uvloop.run(self._send_and_read(stack.port, rng, monotonic() + seconds))
            self._drained_seconds = _wait_until_empty(staleness)
            sleep(LATE_SECONDS)
            _wait_until_empty(staleness)
        finally:
            stop.set()
            watching.join()

    async def _send_and_read(self, port: int, rng: random.Random, until: float) -> None:
        connections = [Connection(port, self._statuses) for _ in range(WRITERS + READERS)]
        clients = []
        for number, connection in enumerate(connections[:WRITERS]):
            write, ledger = [(write_once, self._plain), (write_until_acknowledged, self._keyed)][number % 2]
            clients.append(write(connection, ledger, _fork(rng), until, self._strange))
        for connection in connections[WRITERS:]:
            ledgers = (self._plain, self._keyed)
            clients.append(read_along(connection, ledgers, self._readings, _fork(rng), until, self._strange))
        await asyncio.gather(*clients)
        for connection in connections:
            connection.close()

    def progress(self) -> str:
        plain, keyed = self._plain.outcomes, self._keyed.outcomes
        return (
            f"counters: {plain[Outcome.ADDED] + keyed[Outcome.ADDED]:,} acknowledged, "
            f"{plain[Outcome.UNKNOWN]:,} unanswered, {self._readings.answers:,} reads"
        )

    def verdicts(self, stack: Stack) -> list[Verdict]:
        totals = _read_totals(stack)
        return [
            self._counted_once(totals),
            self._counted_once_with_key(totals),
            self._reads_rise(),
            self._reads_agree(stack, totals),
            self._never_stale(),
            self._all_flushed(),
            self._no_error(),
        ]

    def _counted_once(self, totals: dict[str, int]) -> Verdict:
        counts, misfits = self._plain.outcomes, self._plain.misfits(totals)
        evidence = (
            f"{KEYS:,} keys, {counts[Outcome.ADDED]:,} acknowledged, {counts[Outcome.UNKNOWN]:,} unanswered, "
            f"{counts[Outcome.REFUSED]:,} refused{_examples(misfits)}"
        )
        return Verdict(COUNTED_ONCE, evidence, counts[Outcome.ADDED] > 0 and not misfits)

    def _counted_once_with_key(self, totals: dict[str, int]) -> Verdict:
        counts, misfits = self._keyed.outcomes, self._keyed.misfits(totals)
        evidence = (
            f"{KEYS:,} keys, {counts[Outcome.ADDED]:,} acknowledged, {self._keyed.repeats:,} repeats, "
            f"{counts[Outcome.UNKNOWN]:,} never acknowledged{_examples(misfits)}"
        )
        is_kept = counts[Outcome.ADDED] > 0 and not counts[Outcome.UNKNOWN] and not misfits
        return Verdict(COUNTED_ONCE_WITH_KEY, evidence, is_kept)

    def _reads_rise(self) -> Verdict:
        wrong = self._readings.wrong
        evidence = f"{self._readings.answers:,} reads{_examples(wrong)}"
        return Verdict(READS_RISE, evidence, self._readings.answers > 0 and not wrong)

    def _reads_agree(self, stack: Stack, totals: dict[str, int]) -> Verdict:
        values = uvloop.run(self._read_all(stack.port))
        different = [key for key, value in values.items() if value != totals.get(key, 0)]
        wrong = [f"{key} answers {values[key]}, has {totals.get(key)}" for key in different]
        return Verdict(READS_AGREE, f"{len(values):,} keys{_examples(wrong)}", not wrong)

    async def _read_all(self, port: int) -> dict[str, int | None]:
        keys = [*self._plain.keys, *self._keyed.keys]
        parts = await asyncio.gather(*(self._read_each(port, keys[n::WRITERS]) for n in range(WRITERS)))
        return {key: value for part in parts for key, value in part.items()}

    async def _read_each(self, port: int, keys: list[str]) -> dict[str, int | None]:
        connection = Connection(port, self._statuses)
        try:
            return {key: await self._read_patiently(connection, key) for key in keys}
        finally:
            connection.close()

    async def _read_patiently(self, connection: Connection, key: str) -> int | None:
        until = monotonic() + FINAL_READ_SECONDS
        while (value := await read_value(connection, key, self._strange)) is None and monotonic() < until:
            await asyncio.sleep(0.1)
        return value

    def _never_stale(self) -> Verdict:
        seen = self._staleness
        assert seen is not None
        evidence = (
            f"at worst {seen.worst_seconds:.1f} s in {seen.samples} samples; "
            f"without PostgreSQL {seen.database_down}, without Valkey {seen.buffer_down}"
        )
        return Verdict(NEVER_STALE, evidence, seen.samples > 0 and seen.worst_seconds <= STALE_SECONDS)

    def _all_flushed(self) -> Verdict:
        drained = self._drained_seconds
        evidence = "never" if drained is None else f"after {drained:.1f} s"
        return Verdict(ALL_FLUSHED, evidence, drained is not None and drained <= STALE_SECONDS)

    def _no_error(self) -> Verdict:
        counts = ", ".join(f"{status}: {count:,}" for status, count in sorted(self._statuses.items()))
        return Verdict(NO_ERROR, counts + _examples(self._strange), not self._strange)


def _fork(rng: random.Random) -> random.Random:
    """One for each client, as the order in which they draw is not ours to repeat."""
    return random.Random(rng.getrandbits(64))


def _random_keys(rng: random.Random) -> list[str]:
    return [str(UUID(int=rng.getrandbits(128), version=4)) for _ in range(KEYS)]


def _examples(texts: list[str]) -> str:
    return f"; {len(texts):,} wrong: {'; '.join(texts[:3])}" if texts else ""


def _wait_until_empty(staleness: Staleness) -> float | None:
    """Seconds until nothing waits for the database; None when that takes far too long."""
    started = monotonic()
    while staleness.pending_keys() != 0:
        if monotonic() - started > 3 * STALE_SECONDS:
            return None
        sleep(0.1)
    return monotonic() - started


def _read_totals(stack: Stack) -> dict[str, int]:
    with psycopg.connect(stack.database_url, connect_timeout=5) as connection:
        rows = connection.execute("SELECT key::text, value FROM counters_counter").fetchall()
    return {key: int(value) for key, value in rows}
