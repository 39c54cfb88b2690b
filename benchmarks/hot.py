"""The hot path against HOT_PATH=off, on the same stores, round by round, and its tail at half of that."""

from collections.abc import Callable, Sequence

from benchmarks.driving import Driven, drive
from benchmarks.report import Report, median, progress
from benchmarks.servers import server_without_hot_path
from benchmarks.tails import measure_tail
from tests.acceptance.harness import Stack

CONNECTIONS = 64
Requests = Callable[[float], Sequence[bytes]]  # for so many seconds


def measure_hot(
    stack: Stack, report: Report, what: str, requests: Requests, *, reach: float, seconds: float, rounds: int
) -> Driven:
    """How many times as many requests it accepts. Returns its round in the middle."""
    hot, cold = [], []
    with server_without_hot_path(stack) as cold_port:
        for port in (stack.port, cold_port):
            drive(port, requests(1), connections=CONNECTIONS, seconds=1)
        for _ in range(rounds):
            hot.append(drive_hot(stack, requests(seconds), seconds))
            cold.append(drive(cold_port, requests(seconds), connections=CONNECTIONS, seconds=seconds))
            progress(f"hot {hot[-1].per_second:,.0f}/s, HOT_PATH=off {cold[-1].accepted_per_second:,.0f}/s")
    ratio = median([fast.per_second / slow.accepted_per_second for fast, slow in zip(hot, cold, strict=True)])
    typical = middle(hot)
    report.add(
        f"{what}, {CONNECTIONS} connections",
        f"{typical.per_second:,.0f}/s",
        f"HOT_PATH=off {median([driven.accepted_per_second for driven in cold]):,.0f}/s",
        f"{ratio:.1f} x",
        f">= {reach:.0f} x",
        ok=ratio >= reach,
        load=typical,
    )
    measure_tail(stack, report, what, requests(2 * seconds), connections=CONNECTIONS, most=typical, seconds=2 * seconds)
    return typical


def drive_hot(stack: Stack, requests: Sequence[bytes], seconds: float) -> Driven:
    """The hot path alone, which must accept all."""
    driven = drive(stack.port, requests, connections=CONNECTIONS, seconds=seconds, stack=stack)
    assert (driven.refused, driven.broken) == (0, 0), driven
    return driven


def middle(rounds: Sequence[Driven]) -> Driven:
    """The round in the middle, by its rate."""
    return sorted(rounds, key=lambda driven: driven.per_second)[len(rounds) // 2]
