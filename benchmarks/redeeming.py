"""Redemptions: the hot path against HOT_PATH=off, one hot voucher, and late-comers for one that is used up.

Every request to redeem is of a user who never asked before, so each of them is a redemption.
"""

import json
import random
import uuid
from collections.abc import Iterator, Sequence
from itertools import count, cycle, islice

import httpx

from benchmarks.load import LoadResult, post_request, run_load
from benchmarks.report import Report, median, progress
from benchmarks.servers import server_without_hot_path
from tests.acceptance.harness import Stack

CONNECTIONS = 128
VOUCHERS = 500
LIMIT = 1_000_000_000
FRESH_PER_SECOND = 40_000  # prepared; a request that is sent again is answered with 409, which stops the run
LATECOMERS = 50_000
KEYS = 1_000
REACH_HOT = 6.0
REACH_ONE = 0.8
REACH_REJECTIONS = 1.0
REJECTED = 404
_SCATTER = 61_803_398_874_989  # prime to 10^14, so that users come in no order and none comes twice

_users = count()


def measure_redemptions(stack: Stack, report: Report, *, seconds: float, rounds: int) -> None:
    """Over 500 vouchers with and without the hot path, and all of one voucher; then latency at half of those rates."""
    with httpx.Client(base_url=stack.url, timeout=10) as client:
        spread = [_created(client, LIMIT) for _ in range(VOUCHERS)]
    one = spread[:1]
    hot, cold, single = [], [], []
    with server_without_hot_path(stack) as cold_port:
        for port in (stack.port, cold_port):
            run_load(port, _fresh_requests(spread, 1), connections=CONNECTIONS, seconds=1)
        for _ in range(rounds):
            hot.append(_redeem(stack.port, spread, seconds).per_second)
            cold.append(_redeemed_per_second(cold_port, spread, seconds))
            single.append(_redeem(stack.port, one, seconds).per_second)
            progress(f"hot {hot[-1]:,.0f}/s, HOT_PATH=off {cold[-1]:,.0f}/s, one voucher {single[-1]:,.0f}/s")
    _report_rates(report, hot, cold, single)
    for what, codes, rates in ((f"{VOUCHERS} vouchers", spread, hot), ("one voucher", one, single)):
        half = median(rates) / 2
        _report_latency(report, f"redemptions, {what}", half, _redeem(stack.port, codes, seconds, half))


def _report_rates(report: Report, hot: list[float], cold: list[float], single: list[float]) -> None:
    ratio = median([fast / slow for fast, slow in zip(hot, cold, strict=True)])
    report.add(
        f"POST /api/vouchers/redeem, {VOUCHERS} vouchers, {CONNECTIONS} connections",
        f"{median(hot):,.0f}/s",
        f"HOT_PATH=off {median(cold):,.0f}/s",
        f"{ratio:.1f} x",
        f">= {REACH_HOT:.0f} x",
        ok=ratio >= REACH_HOT,
    )
    ratio = median([of_one / of_many for of_one, of_many in zip(single, hot, strict=True)])
    report.add(
        f"POST /api/vouchers/redeem, one hot voucher, {CONNECTIONS} connections",
        f"{median(single):,.0f}/s",
        f"{VOUCHERS} vouchers {median(hot):,.0f}/s",
        f"{ratio:.2f} x",
        f">= {REACH_ONE} x",
        ok=ratio >= REACH_ONE,
    )


def measure_rejections(stack: Stack, report: Report, *, seconds: float, rounds: int) -> None:
    """Late-comers for a voucher that is used up, against increments."""
    rejections, increments = list(islice(_redemptions(_used_up(stack)), LATECOMERS)), _increments()
    rejected, incremented = [], []
    for requests in (rejections, increments):
        run_load(stack.port, requests, connections=CONNECTIONS, seconds=1)
    for _ in range(rounds):
        rejected.append(_run(stack.port, rejections, seconds, REJECTED).per_second)
        incremented.append(_run(stack.port, increments, seconds, 200).per_second)
        progress(f"rejections {rejected[-1]:,.0f}/s, increments {incremented[-1]:,.0f}/s")
    ratio = median([refused / added for refused, added in zip(rejected, incremented, strict=True)])
    report.add(
        f"rejections of a used-up voucher, {CONNECTIONS} connections",
        f"{median(rejected):,.0f}/s",
        f"POST /increment {median(incremented):,.0f}/s",
        f"{ratio:.2f} x",
        f">= {REACH_REJECTIONS:.0f} x",
        ok=ratio >= REACH_REJECTIONS,
    )
    half = median(rejected) / 2
    _report_latency(
        report, "rejections of a used-up voucher", half, _run(stack.port, rejections, seconds, REJECTED, half)
    )


def _report_latency(report: Report, what: str, per_second: float, result: LoadResult) -> None:
    """No figure to reach."""
    p50, p99 = 1e3 * result.percentile(0.5), 1e3 * result.percentile(0.99)
    report.add(
        f"{what}, at half the maximum rate",
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
        f"{per_second:,.0f}/s",
        "",
        "",
        ok=True,
    )


def _created(client: httpx.Client, limit: int) -> str:
    code = f"BENCH-{uuid.uuid4()}"
    client.post("/api/vouchers", json={"code": code, "amount": 1.5, "limit": limit}).raise_for_status()
    return code


def _used_up(stack: Stack) -> list[str]:
    with httpx.Client(base_url=stack.url, timeout=10) as client:
        code = _created(client, 1)
        client.post("/api/vouchers/redeem", json={"phone_number": _fresh_user(), "code": code}).raise_for_status()
    return [code]


def _fresh_user() -> str:
    return f"+1{next(_users) * _SCATTER % 10**14:014d}"


def _fresh_requests(codes: Sequence[str], seconds: float) -> list[bytes]:
    return list(islice(_redemptions(codes), int(FRESH_PER_SECOND * seconds)))


def _redemptions(codes: Sequence[str]) -> Iterator[bytes]:
    """Requests of fresh users for one code after the other."""
    for code in cycle(codes):
        body = f'{{"phone_number": "{_fresh_user()}", "code": "{code}"}}'
        yield post_request("/api/vouchers/redeem", body.encode())


def _increments() -> list[bytes]:
    bodies = [{"key": str(uuid.uuid4()), "value": random.randint(1, 1_000)} for _ in range(KEYS)]
    return [post_request("/increment", json.dumps(body).encode()) for body in bodies]


def _redeem(port: int, codes: Sequence[str], seconds: float, per_second: float = 0.0) -> LoadResult:
    return _run(port, _fresh_requests(codes, seconds), seconds, 200, per_second)


def _redeemed_per_second(port: int, codes: Sequence[str], seconds: float) -> float:
    """Of a server that may refuse some with 503: on a slow machine, 128 connections wait too long for its threads."""
    result = run_load(port, _fresh_requests(codes, seconds), connections=CONNECTIONS, seconds=seconds)
    assert set(result.statuses) <= {200, 503}, result.statuses
    return result.statuses[200] / result.seconds


def _run(port: int, requests: Sequence[bytes], seconds: float, status: int, per_second: float = 0.0) -> LoadResult:
    result = run_load(port, requests, connections=CONNECTIONS, seconds=seconds, per_second=per_second)
    assert set(result.statuses) == {status}, result.statuses
    return result
