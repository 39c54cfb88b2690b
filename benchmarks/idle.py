"""What the stack costs while nobody asks it anything."""

import time
from contextlib import suppress
from typing import NamedTuple

from benchmarks.processes import command_of, cpu_seconds, memory_bytes
from benchmarks.report import Report, progress
from tests.acceptance.harness import Stack

QUIET_SECONDS = 15.0
MEASURED_SECONDS = 30.0
MAX_CPU_PERCENT = 6.0
MAX_MEMORY_BYTES = 700 * 2**20
LISTED = 5


class Cost(NamedTuple):
    cpu_seconds: float
    memory_bytes: int
    command: str


def measure_idle(stack: Stack, report: Report) -> None:
    """Processor time and memory of all processes, those of the stores and the supervisor included.

    Not of PostgreSQL's for connections that end meanwhile.
    """
    time.sleep(QUIET_SECONDS)  # what a start loads, and what it loads late, is there then
    before = _costs(stack)
    time.sleep(MEASURED_SECONDS)
    after = {pid: cost for pid, cost in _costs(stack).items() if pid in before}
    percents = {pid: 100 * (after[pid].cpu_seconds - before[pid].cpu_seconds) / MEASURED_SECONDS for pid in after}
    for pid, cost in sorted(after.items(), key=lambda item: item[1].memory_bytes, reverse=True)[:LISTED]:
        progress(f"{percents[pid]:5.2f} % {cost.memory_bytes / 2**20:6.1f} MiB {cost.command[:100]}")
    _report(report, sum(percents.values()), sum(cost.memory_bytes for cost in after.values()), len(after))


def _costs(stack: Stack) -> dict[int, Cost]:
    costs = {}
    for pid in stack.all_pids():
        with suppress(OSError):  # it has ended
            costs[pid] = Cost(cpu_seconds([pid]), memory_bytes([pid]), command_of(pid))
    return costs


def _report(report: Report, percent: float, total_bytes: int, processes: int) -> None:
    report.add(
        f"CPU of {processes} idle processes",
        f"{percent:.1f} % of a core",
        "",
        "",
        f"<= {MAX_CPU_PERCENT:.0f} %",
        ok=percent <= MAX_CPU_PERCENT,
    )
    report.add(
        f"memory of {processes} idle processes",
        f"{total_bytes / 2**20:.0f} MiB (PSS)",
        "",
        "",
        f"<= {MAX_MEMORY_BYTES / 2**20:.0f} MiB",
        ok=total_bytes <= MAX_MEMORY_BYTES,
    )
