"""The hot path against HOT_PATH=off, on the same stores, round by round."""

from collections.abc import Sequence

from benchmarks.driving import Driven, drive
from benchmarks.report import Report, median, progress
from benchmarks.servers import server_without_hot_path
from tests.acceptance.harness import Stack

CONNECTIONS = 64


def measure_hot(
    stack: Stack,
    report: Report,
    what: str,
    requests: Sequence[bytes],
    *,
    reach: float,
    seconds: float,
    rounds: int,
) -> Driven:
    """How many times as many requests it answers, which must all be accepted. Returns its round in the middle."""
    hot, cold = [], []
    with server_without_hot_path(stack) as cold_port:
        for port in (stack.port, cold_port):
            _drive(port, requests, 1)
        for _ in range(rounds):
            hot.append(_drive(stack.port, requests, seconds, stack))
            cold.append(_drive(cold_port, requests, seconds))
            progress(f"hot {hot[-1].per_second:,.0f}/s, HOT_PATH=off {cold[-1].per_second:,.0f}/s")
    ratio = median([fast.per_second / slow.per_second for fast, slow in zip(hot, cold, strict=True)])
    typical = sorted(hot, key=lambda driven: driven.per_second)[len(hot) // 2]
    report.add(
        f"{what}, {CONNECTIONS} connections",
        f"{typical.per_second:,.0f}/s",
        f"HOT_PATH=off {median([driven.per_second for driven in cold]):,.0f}/s",
        f"{ratio:.1f} x",
        f">= {reach:.0f} x",
        ok=ratio >= reach,
        load=typical,
    )
    return typical


def _drive(port: int, requests: Sequence[bytes], seconds: float, stack: Stack | None = None) -> Driven:
    driven = drive(port, requests, connections=CONNECTIONS, seconds=seconds, stack=stack)
    assert (driven.refused, driven.broken) == (0, 0), driven
    return driven
