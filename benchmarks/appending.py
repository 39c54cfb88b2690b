"""Timestamps: appends on the hot path against HOT_PATH=off, and how soon a command is a row that readers get."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from benchmarks.hot import CONNECTIONS, measure_hot
from benchmarks.load import LoadResult, post_request, run_load
from benchmarks.report import Report
from tests.acceptance.harness import Stack

APPEND = [post_request("/app", b"")]
PROBERS = 8
PROBE_WAIT_SECONDS = 10
REACH_HOT = 8.0
REACH_P99_SECONDS = 0.5


def measure_appends(stack: Stack, report: Report, *, seconds: float, rounds: int) -> None:
    """And, at half of their rate, the 99th percentile from request to row."""
    driven = measure_hot(
        stack, report, "POST /app, AOF always", lambda _: APPEND, reach=REACH_HOT, seconds=seconds, rounds=rounds
    )
    _measure_persisting(stack, report, driven.per_second / 2, 2 * seconds)


def _measure_persisting(stack: Stack, report: Report, per_second: float, seconds: float) -> None:
    _probe(stack, 0)  # what earlier load left is persisted then
    with ThreadPoolExecutor(PROBERS) as pool:
        probing = [pool.submit(_probe, stack, seconds) for _ in range(PROBERS)]
        _append(stack.port, seconds, per_second)
        found = LoadResult(latencies=[latency for each in probing for latency in each.result()])
    p50, p99 = found.percentile(0.5), found.percentile(0.99)
    report.add(
        f"append to readable row, {len(found.latencies)} probes",
        f"p50 {1e3 * p50:.0f} ms, p99 {1e3 * p99:.0f} ms",
        f"{per_second:,.0f} appends/s",
        "",
        f"p99 <= {1e3 * REACH_P99_SECONDS:.0f} ms",
        ok=p99 <= REACH_P99_SECONDS,
    )


def _probe(stack: Stack, seconds: float) -> list[float]:
    """One append after the other, at least one: from before each to the answer that has its row."""
    until = time.perf_counter() + seconds
    latencies: list[float] = []
    with httpx.Client(base_url=stack.url, timeout=PROBE_WAIT_SECONDS + 5) as client:
        while not latencies or time.perf_counter() < until:
            latencies.append(_persisted_seconds(client))
    return latencies


def _persisted_seconds(client: httpx.Client) -> float:
    started = time.perf_counter()
    appended = client.post("/app").raise_for_status().json()
    path = f"/api/v1/timestamp/{appended['id']}?wait={PROBE_WAIT_SECONDS}"
    record = client.get(path).raise_for_status().json()
    assert record["created_at"], record
    return time.perf_counter() - started


def _append(port: int, seconds: float, per_second: float) -> LoadResult:
    result = run_load(port, APPEND, connections=CONNECTIONS, seconds=seconds, per_second=per_second)
    assert set(result.statuses) == {200}, result.statuses
    return result
