"""Redemptions: the hot path against HOT_PATH=off, one hot voucher, and late-comers for one that is used up.

Every request to redeem is of a user who never asked before, so each of them is a redemption.
"""

import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count, cycle, islice

import httpx

from benchmarks.counting import increment_requests
from benchmarks.driving import Driven, answered, drive
from benchmarks.hot import CONNECTIONS, drive_hot, measure_hot, middle
from benchmarks.load import post_request
from benchmarks.report import Report
from benchmarks.tails import measure_tail
from tests.acceptance.harness import Stack

VOUCHERS = 500
LIMIT = 1_000_000_000
FRESH_PER_SECOND = 40_000  # prepared; a request that is sent again is answered with 409, which stops the run
LATECOMERS = 50_000
REACH_HOT = 6.0
REACH_ONE = 0.8
REACH_REJECTIONS = 1.0
_SCATTER = 61_803_398_874_989  # prime to 10^14, so that users come in no order and none comes twice

_users = count()


def measure_redemptions(stack: Stack, report: Report, *, seconds: float, rounds: int) -> None:
    """Over 500 vouchers with and without the hot path, and all of one voucher."""
    with httpx.Client(base_url=stack.url, timeout=10) as client:
        spread = [_created(client, LIMIT) for _ in range(VOUCHERS)]
    what = f"POST /api/vouchers/redeem, {VOUCHERS} vouchers"
    requests = partial(_fresh_requests, spread)
    many = measure_hot(stack, report, what, requests, reach=REACH_HOT, seconds=seconds, rounds=rounds)
    one = middle([drive_hot(stack, _fresh_requests(spread[:1], seconds), seconds) for _ in range(rounds)])
    _report(report, "POST /api/vouchers/redeem, one hot voucher", one, f"{VOUCHERS} vouchers", many, REACH_ONE)


def measure_rejections(stack: Stack, report: Report, *, seconds: float, rounds: int) -> None:
    """Late-comers for a voucher that is used up, against increments."""
    latecomers = list(islice(_redemptions(_used_up(stack)), LATECOMERS))
    rejected, increments = [], []
    for _ in range(rounds):
        before = answered(stack)
        rejected.append(drive(stack.port, latecomers, connections=CONNECTIONS, seconds=seconds, stack=stack))
        assert rejected[-1].refused == rejected[-1].answers, rejected[-1]
        statuses = (answered(stack) - before).keys()
        assert statuses <= {"200", "404"}, statuses  # 200: of looks at the metrics
        increments.append(drive_hot(stack, increment_requests(), seconds))
    what, most = "rejections of a used-up voucher", middle(rejected)
    _report(report, what, most, "POST /increment", middle(increments), REACH_REJECTIONS)
    measure_tail(stack, report, what, latecomers, connections=CONNECTIONS, most=most, seconds=2 * seconds)


def _report(report: Report, what: str, driven: Driven, other: str, reference: Driven, reach: float) -> None:
    ratio = driven.per_second / reference.per_second
    report.add(
        f"{what}, {CONNECTIONS} connections",
        f"{driven.per_second:,.0f}/s",
        f"{other} {reference.per_second:,.0f}/s",
        f"{ratio:.2f} x",
        f">= {reach} x",
        ok=ratio >= reach,
        load=driven,
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
