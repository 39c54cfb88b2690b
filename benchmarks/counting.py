"""Counters: the hot path against HOT_PATH=off, bulk increments, and the flush of many distinct keys."""

import json
import random
import time
import uuid
from collections.abc import Iterable
from typing import cast

import httpx
from redis import Redis

from benchmarks.hot import measure_hot
from benchmarks.load import post_request, run_load
from benchmarks.report import Report, median, progress
from config.env import embedded_urls
from counters.types import SUBMISSION_INCREMENTS
from tests.acceptance.harness import Stack, paused, wait_until

KEYS = 1_000
BULK_ITEMS = 1_000
BULK_CONNECTIONS = 8
BULK_KEYS = (1_000, 100_000)  # popular ones, which the figure is of; and many, for comparison
REACH_HOT = 8.0
REACH_BULK = 200_000
REACH_FLUSH_SECONDS = 30.0
FLUSH_KEYS = 1_000_000


def measure_increments(stack: Stack, report: Report, *, seconds: float, rounds: int) -> None:
    requests = increment_requests()
    what = "POST /increment, AOF always"
    measure_hot(stack, report, what, lambda _: requests, reach=REACH_HOT, seconds=seconds, rounds=rounds)


def increment_requests() -> list[bytes]:
    bodies = [{"key": str(uuid.uuid4()), "value": random.randint(1, 1_000)} for _ in range(KEYS)]
    return [post_request("/increment", json.dumps(body).encode()) for body in bodies]


def measure_bulk(stack: Stack, report: Report, *, seconds: float, rounds: int) -> None:
    """Requests of 1,000 increments, flushes included."""
    popular, many = (_bulk_rate(stack, keys, seconds, rounds) for keys in BULK_KEYS)
    report.add(
        f"POST /increments, {BULK_ITEMS:,} items each, {BULK_KEYS[0]:,} keys",
        f"{popular:,.0f} increments/s",
        f"{BULK_KEYS[1]:,} keys: {many:,.0f}/s",
        "",
        f">= {REACH_BULK:,}/s",
        ok=popular >= REACH_BULK,
    )


def _bulk_rate(stack: Stack, key_count: int, seconds: float, rounds: int) -> float:
    keys = [str(uuid.uuid4()) for _ in range(key_count)]
    requests = [post_request("/increments", _bulk(random.choices(keys, k=BULK_ITEMS))) for _ in range(100)]
    run_load(stack.port, requests, connections=BULK_CONNECTIONS, seconds=1)
    rates = []
    for _ in range(rounds):
        result = run_load(stack.port, requests, connections=BULK_CONNECTIONS, seconds=seconds)
        assert set(result.statuses) == {200}, result.statuses
        rates.append(BULK_ITEMS * result.per_second)
        progress(f"bulk over {key_count:,} keys: {rates[-1]:,.0f} increments/s")
    return median(rates)


def measure_flush(stack: Stack, report: Report) -> None:
    """From a million distinct keys that wait, as after an outage, to the last of them in the database."""
    with Redis.from_url(embedded_urls(stack.data_dir)["VALKEY_URL"]) as valkey:
        wait_until(lambda: not _pending(valkey), "end of earlier flushes")
        before = _used_bytes(valkey)
        with paused(stack.pids("worker-flush")):
            _fill(stack)
            used = _used_bytes(valkey) - before
        started = time.perf_counter()
        wait_until(lambda: not _pending(valkey), "flush", 10 * REACH_FLUSH_SECONDS)
        seconds = time.perf_counter() - started
    report.add(
        f"flush of {FLUSH_KEYS:,} distinct keys",
        f"{seconds:.1f} s",
        f"{used / 2**20:.0f} MiB in Valkey, {used / FLUSH_KEYS:.0f} bytes a key",
        "",
        f"<= {REACH_FLUSH_SECONDS:.0f} s",
        ok=seconds <= REACH_FLUSH_SECONDS,
    )


def _fill(stack: Stack) -> None:
    with httpx.Client(base_url=stack.url, timeout=10) as client:
        for _ in range(FLUSH_KEYS // SUBMISSION_INCREMENTS):
            body = _bulk(str(uuid.uuid4()) for _ in range(SUBMISSION_INCREMENTS))
            client.post("/increments", content=body).raise_for_status()


def _pending(valkey: Redis) -> list[bytes]:
    return cast(list[bytes], valkey.keys("counters:pending:*"))


def _used_bytes(valkey: Redis) -> int:
    return int(cast(dict[str, int], valkey.info("memory"))["used_memory"])


def _bulk(keys: Iterable[str]) -> bytes:
    return json.dumps([{"key": key, "value": random.randint(1, 1_000)} for key in keys]).encode()
