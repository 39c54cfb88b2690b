"""Timestamps in bulk: the log is appended to, persisted and archived at once, and the database is close behind."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, cast

import psycopg
from redis import Redis

from benchmarks.load import post_request, run_load
from benchmarks.report import Report
from config.env import embedded_urls
from tests.acceptance.harness import Stack, wait_until

CONNECTIONS = 8
BULK_INSTANTS = 1_000
SEGMENT_ENTRIES = 100_000  # as TIMESTAMPS_SEGMENT_ENTRIES: fewer wait for the next segment
REACH_PER_SECOND = 25_000
OFFERED_PER_SECOND = 27_500  # so that the last segment, which the archiver finds within 5 s, is within the figure
REACH_LAG_SECONDS = 2.0
LOOK_SECONDS = 0.1
INSTANTS = [f"2018-08-04T{at // 60 % 24:02d}:{at % 60:02d}:31.{at:06d}+02:00" for at in range(BULK_INSTANTS)]
APPEND = [post_request("/api/v1/timestamps", json.dumps(INSTANTS).encode())]


class _Log:
    """How far the log of a stack is, as its stores say."""

    def __init__(self, valkey: Redis, database: "psycopg.Connection[Any]", archive: Path) -> None:
        self._valkey, self._database, self._archive = valkey, database, archive

    def taken(self) -> int:
        """Entries that became rows."""
        row = self._database.execute("SELECT entries FROM timestamps_recordtable WHERE state = 'live'").fetchone()
        return int(row[0]) if row else 0

    def archived(self) -> int:
        newest = max(self._archive.glob("*[0-9].json"), default=None)
        return int(json.loads(newest.read_bytes())["total_entries"]) if newest else 0

    def lag_seconds(self) -> float:
        """Age of the oldest entry that is no row yet."""
        persisted = cast(bytes | None, self._valkey.get("timestamps:persisted")) or b"0-0"
        oldest = cast(list[Any], self._valkey.xrange("timestamp.command.v1", min=b"(" + persisted, count=1))
        return max(0.0, time.time() - int(oldest[0][0].split(b"-")[0]) / 1_000) if oldest else 0.0

    def greatest_lag_seconds(self, end: Event) -> float:
        lags = [self.lag_seconds()]
        while not end.wait(LOOK_SECONDS):
            lags.append(self.lag_seconds())
        return max(lags)


def measure_log(stack: Stack, report: Report, *, seconds: float) -> None:
    """At the rate to reach for ``seconds``, and at half of it."""
    with _log_of(stack) as log:
        _measure_rate(stack, report, log, seconds)
        _measure_lag(stack, report, log, seconds)


@contextmanager
def _log_of(stack: Stack) -> Iterator[_Log]:
    """After warming up, and without what earlier load left."""
    urls = embedded_urls(stack.data_dir)
    with Redis.from_url(urls["VALKEY_URL"]) as valkey, psycopg.connect(urls["DATABASE_URL"]) as database:
        database.autocommit = True
        log = _Log(valkey, database, stack.data_dir / "archive")
        _append(stack, 1, REACH_PER_SECOND)
        wait_until(lambda: not log.lag_seconds(), "end of earlier load", 60)
        yield log


def _measure_rate(stack: Stack, report: Report, log: _Log, seconds: float) -> None:
    total, started = log.taken(), time.perf_counter()
    appended, appending_seconds = _append(stack, seconds, OFFERED_PER_SECOND)
    total += appended
    wait_until(lambda: log.taken() == total, "rows of all entries", 10 * seconds)
    wait_until(lambda: total - log.archived() < SEGMENT_ENTRIES, "segments of all entries", 10 * seconds)
    per_second = appended / (time.perf_counter() - started)
    report.add(
        f"log: {appended:,} entries, {BULK_INSTANTS:,} a request",
        f"{per_second:,.0f}/s appended, persisted and archived",
        f"{appended / appending_seconds:,.0f}/s appended",
        "",
        f">= {REACH_PER_SECOND:,}/s",
        ok=per_second >= REACH_PER_SECOND,
    )


def _measure_lag(stack: Stack, report: Report, log: _Log, seconds: float) -> None:
    end = Event()
    with ThreadPoolExecutor(1) as pool:
        lag = pool.submit(log.greatest_lag_seconds, end)
        appended, appending_seconds = _append(stack, seconds, REACH_PER_SECOND / 2)
        end.set()
    report.add(
        "log: greatest age of an entry that is no row yet",
        f"{lag.result():.2f} s",
        f"{appended / appending_seconds:,.0f}/s appended",
        "",
        f"<= {REACH_LAG_SECONDS:.0f} s",
        ok=lag.result() <= REACH_LAG_SECONDS,
    )


def _append(stack: Stack, seconds: float, per_second: float) -> tuple[int, float]:
    """How many entries, in how many seconds."""
    pace = per_second / BULK_INSTANTS
    result = run_load(stack.port, APPEND, connections=CONNECTIONS, seconds=seconds, per_second=pace)
    assert set(result.statuses) == {200}, result.statuses
    return BULK_INSTANTS * result.statuses.total(), result.seconds
