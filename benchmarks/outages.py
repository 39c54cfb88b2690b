"""What needs no store that hangs goes on, and all else is refused soon, while all five apps and Django are asked.

PostgreSQL, then the cache Valkey, is stopped with SIGSTOP: it takes connections and answers nothing, which is worse
than to be down. Requests are due at fixed times and latency counts from then, so no stall hides the requests behind it.
"""

import json
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from benchmarks.load import LoadResult, get_request, post_request, run_load
from benchmarks.reading import promotion_requests
from benchmarks.report import Report, progress
from tests.acceptance.harness import Stack, paused, wait_until

OUTAGE_SECONDS = 20.0
IDLE_SECONDS = 10.0
CONNECTIONS = 16
REACH = 3.0
REFUSED_SECONDS = 2.0
CACHED = 100
EXPECTED = (200, 404, 409, 503)  # answers of a store that is there, and refusals
JUDGED = {"postgres": ("increments", "appends", "cached reads"), "cache": ("increments", "appends")}
PER_SECOND = {
    "increments": 300,
    "appends": 300,
    "redemptions": 50,
    "rates": 20,
    "promotions": 100,
    "counters": 100,
    "timestamps": 50,
    "cached reads": 100,
    "imports": 20,
    "logins": 1,  # without the cache each process admits its share of five, of those that come to it
}


def measure_outages(stack: Stack, report: Report) -> None:
    """The share of answers and the 99th percentile of what goes on, before and during each outage; and how long all
    else waits for its refusal. The stack writes logs as production does.
    """
    load = _load(stack)
    _run(stack, load, 2.0)
    before = _run(stack, load, IDLE_SECONDS)
    for part in ("postgres", "cache"):
        with paused(stack.pids(part)):
            during = _run(stack, load, OUTAGE_SECONDS)
        for what in JUDGED[part]:
            _report(report, f"{what}, {part} hangs for {OUTAGE_SECONDS:.0f} s", before[what], during[what])
        _report_refusals(report, part, [during[what] for what in load if what not in JUDGED[part]])
        wait_until(lambda: httpx.get(f"{stack.url}/health/ready").status_code == 200, f"{part} to be back")
        time.sleep(2)  # circuits close, and what waited is flushed


def _report(report: Report, what: str, before: LoadResult, during: LoadResult) -> None:
    ratio = during.percentile(0.99) / before.percentile(0.99)
    refused = during.broken + during.statuses.total() - during.statuses[200]
    report.add(
        f"{what}, {during.per_second:,.0f}/s",
        f"p99 {1e3 * during.percentile(0.99):.1f} ms, {refused} not answered with 200",
        f"before p99 {1e3 * before.percentile(0.99):.1f} ms",
        f"{ratio:.1f} x",
        f"<= {REACH:.0f} x, 0 refused",
        ok=ratio <= REACH and not refused,
    )


def _report_refusals(report: Report, part: str, others: Sequence[LoadResult]) -> None:
    answers = sum(others, LoadResult())
    worst = answers.percentile(1.0)
    strange = answers.broken + sum(count for status, count in answers.statuses.items() if status not in EXPECTED)
    report.add(
        f"all else, {part} hangs for {OUTAGE_SECONDS:.0f} s",
        f"slowest of {answers.statuses.total():,} answers {worst:.1f} s, {answers.statuses[503]:,} refused",
        "",
        "",
        f"<= {REFUSED_SECONDS:.0f} s, and only 503",
        ok=worst <= REFUSED_SECONDS and not strange,
    )


def _run(stack: Stack, load: dict[str, Sequence[bytes]], seconds: float) -> dict[str, LoadResult]:
    """All apps at once, each at its pace."""
    with ThreadPoolExecutor(len(load)) as pool:
        running = {
            what: pool.submit(
                run_load,
                stack.port,
                requests,
                connections=CONNECTIONS,
                seconds=seconds,
                per_second=PER_SECOND[what],
            )
            for what, requests in load.items()
        }
        results = {what: run.result() for what, run in running.items()}
    progress(" | ".join(f"{what} {dict(result.statuses)}" for what, result in results.items()))
    return results


def _load(stack: Stack) -> dict[str, Sequence[bytes]]:
    keys = [str(uuid.uuid4()) for _ in range(1_000)]
    with httpx.Client(base_url=stack.url, timeout=10) as client:
        voucher = {"code": f"OUTAGE-{uuid.uuid4()}", "amount": 1, "limit": 1_000_000}
        client.post("/api/vouchers", json=voucher).raise_for_status()
        timestamp = client.post("/app").raise_for_status().json()["id"]
    users = [f"+1{number:010d}" for number in range(50_000)]
    redemptions = [json.dumps({"phone_number": user, "code": voucher["code"]}).encode() for user in users]
    promotions = promotion_requests(stack)
    return {
        "increments": [post_request("/increment", json.dumps({"key": key, "value": 1}).encode()) for key in keys],
        "appends": [post_request("/app", b"")],
        "redemptions": [post_request("/api/vouchers/redeem", body) for body in redemptions],
        "rates": [get_request("/rates?date_from=2026-01-01&date_to=2026-12-31&origin=nowhere&destination=nobody")],
        "promotions": promotions,
        "cached reads": promotions[:CACHED],
        "imports": [get_request("/imports")],
        "logins": [get_request("/admin/login/")],
        "counters": [get_request(f"/counters/{key}") for key in keys],
        "timestamps": [get_request(f"/api/v1/timestamp/{timestamp}")],
    }
