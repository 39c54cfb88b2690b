"""How long the slowest wait at half of what a server takes, while flushes, consumer and beat run, and where they wait.

Requests are due at fixed times and latency counts from then. What the server says of its slow batches is added up.
"""

import json
from collections.abc import Sequence

from benchmarks.driving import Driven, as_driven
from benchmarks.load import run_load
from benchmarks.report import Report, progress
from tests.acceptance.harness import Stack

REACH = 5.0
WHERE = ("queue_ms", "thread_ms", "run_ms", "loop_ms")


def measure_tail(
    stack: Stack,
    report: Report,
    what: str,
    requests: Sequence[bytes],
    *,
    connections: int,
    most: Driven,
    seconds: float,
) -> None:
    """At half of ``most``."""
    told = len(stack.log)
    per_second = most.per_second / 2
    driven = as_driven(run_load(stack.port, requests, connections=connections, seconds=seconds, per_second=per_second))
    _tell_slow(what, stack.log[told:])
    ratio = driven.p99 / driven.p50
    report.add(
        f"{what}, at half of the most",
        f"p99 {1e3 * driven.p99:.1f} ms",
        f"p50 {1e3 * driven.p50:.1f} ms, {per_second:,.0f}/s",
        f"{ratio:.1f} x",
        f"<= {REACH:.0f} x",
        ok=ratio <= REACH,
        load=driven,
    )


def _tell_slow(what: str, log: str) -> None:
    """Where the batches waited that the server calls slow, and the five slowest of them."""
    slow = [json.loads(line[line.index("{") :]) for line in log.splitlines() if '"batch_slow"' in line]
    if not slow:
        return
    spent = {where: round(sum(batch[where] for batch in slow)) for where in WHERE}
    progress(f"{what}: {len(slow)} slow batches with {sum(batch['items'] for batch in slow)} items, {spent}")
    for batch in sorted(slow, key=_milliseconds, reverse=True)[:5]:
        progress(f"  {batch['items']} items, { ({where: batch[where] for where in WHERE}) }")


def _milliseconds(batch: dict[str, float]) -> float:
    return sum(batch[where] for where in WHERE)
