"""Flushers in processes of their own beside many writers: no deadlock, exact sums, also when they are killed with -9.

COUNTERS_RACE_SECONDS=60 makes the race as long as the promise was tried with.
"""

import multiprocessing
import os
import random
import sys
import time
from collections import Counter as Sums
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing.context import ForkServerProcess
from threading import Event

import pytest
from django.db import connection

from counters.flushing import flush_counters
from counters.models import Flush, FlushTotals
from counters.types import Counted
from tests.acceptance.harness import wait_until
from tests.concurrency.counters.flusher import flush_until
from tests.counters import assert_all_is_flushed, committed, record_of, side_by_side, submit, values

pytestmark = committed

RACE_SECONDS = float(os.environ.get("COUNTERS_RACE_SECONDS", "2.5"))
KILLS = 24
WRITERS = 32
KEYS = 300
SLICE_KEYS = 5  # so that each flush of a shard is many transactions

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.concurrency.counters.flusher"])


class Flusher:
    """A process that flushes until it is stopped or killed."""

    def __init__(self, *, has_leases: bool) -> None:
        self._begun, self._stop = PROCESSES.Event(), PROCESSES.Event()
        arguments = (connection.settings_dict["NAME"], SLICE_KEYS, has_leases, self._begun, self._stop)
        self._process: ForkServerProcess = PROCESSES.Process(target=flush_until, args=arguments, daemon=True)
        self._process.start()
        assert self._begun.wait(30), "no flusher within 30 s"

    def kill(self) -> None:
        self._process.kill()
        self._process.join(10)

    def finish(self) -> int | None:
        """Exit code: 0 unless something stopped a flush."""
        self._stop.set()
        self._process.join(10)
        return self._process.exitcode


@contextmanager
def writing(writers: int) -> Iterator[Sums[int]]:
    """Threads that count over and over until the block ends; what was acknowledged to them is known then."""
    stop, acknowledged = Event(), Sums[int]()
    work = [partial(write_until, stop, random.Random(number)) for number in range(writers)]

    def write_all() -> list[Sums[int]]:
        return side_by_side(*work)

    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(write_all)
        try:
            yield acknowledged
        finally:
            stop.set()
            for counted in written.result(60):
                acknowledged.update(counted)


def write_until(stop: Event, dice: random.Random) -> Sums[int]:
    """Count random values, some with an idempotency record and twice; answers what was acknowledged."""
    acknowledged: Sums[int] = Sums()
    while not stop.is_set():
        pairs = [(dice.randrange(KEYS), dice.randrange(1, 2**40)) for _ in range(dice.randrange(1, 20))]
        record = record_of(f"{dice.getrandbits(60):x}") if dice.random() < 0.3 else None
        assert submit(*pairs, idempotency=record) == Counted(b"1" * len(pairs))
        if record:
            submit(*pairs, idempotency=record)
        for number, value in pairs:
            acknowledged[number] += value
    return acknowledged


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_clear_snapshot(), deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        return int(cursor.fetchone()[1])


def assert_exact(acknowledged: Sums[int]) -> None:
    assert values(range(KEYS)) == {number: acknowledged[number] for number in range(KEYS)}
    flush_counters()
    assert_all_is_flushed(acknowledged)


@pytest.mark.timeout(RACE_SECONDS + 60)
@pytest.mark.parametrize("has_leases", [True, False])
def test_two_flushers_and_32_writers_on_overlapping_keys_end_exact(has_leases: bool) -> None:
    before = deadlocks()
    flushers = [Flusher(has_leases=has_leases) for _ in range(2)]
    with writing(WRITERS) as acknowledged:
        time.sleep(RACE_SECONDS)
        wait_until(lambda: Flush.objects.count() > 20, "21 flushes")
    assert [flusher.finish() for flusher in flushers] == [0, 0]
    assert deadlocks() == before
    assert_exact(acknowledged)
    report(acknowledged)


def test_flushers_killed_over_and_over_lose_and_repeat_nothing() -> None:
    dice = random.Random()
    kills = halves = 0
    with writing(4) as acknowledged:
        while kills < KILLS or not halves:  # until the test's timeout, if no kill ever meets a flush
            flushers = [Flusher(has_leases=kills % 4 == 0) for _ in range(2)]
            time.sleep(dice.random() * 0.1)
            for flusher in flushers:
                flusher.kill()
                kills += 1
            halves += Flush.objects.filter(finished_at=None).count()
    assert_exact(acknowledged)
    report(acknowledged, f"{kills} kills left {halves} flushes half done; ")


def report(acknowledged: Sums[int], more: str = "") -> None:
    """Shown with ``-s``."""
    rows = sum(FlushTotals.objects.values_list("rows", flat=True))
    total = f"{len(acknowledged)} keys, sum {sum(acknowledged.values()):,}"
    sys.stdout.write(f"\n{more}{Flush.objects.count():,} flushes of {rows:,} deltas; {total}: exact\n")
