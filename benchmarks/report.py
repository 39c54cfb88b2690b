"""Figures as people read them, and as a later run compares itself with them."""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.driving import Driven


@dataclass(frozen=True)
class Row:
    """Attributes: load: what a run of load brought, in figures, where there was one."""

    what: str
    measured: str
    reference: str
    ratio: str
    reach: str
    ok: bool
    load: dict[str, float | str]


@dataclass
class Report:
    """Rows of: what, the measured figure, the reference, the ratio and what it is to reach."""

    rows: list[Row] = field(default_factory=list)

    def add(
        self, what: str, measured: str, reference: str, ratio: str, reach: str, *, ok: bool, load: Driven | None = None
    ) -> None:
        row = Row(what, measured, reference, ratio, reach, ok, load.figures if load else {})
        self.rows.append(row)
        progress(f"{what}: {measured} | {_told(row.load)} | {reference} | {ratio} | reach {reach} | {_verdict(row)}")

    def show(self, before: dict[str, dict[str, Any]] | None = None) -> bool:
        """Print the table; answers whether every figure was reached.

        Args: before: the rows of an earlier run by ``what``; they fill a column.
        """
        columns = [
            "what",
            "measured",
            "load by, web CPU a request, p50, p99",
            "reference in this run",
            "ratio",
            "reach",
        ]
        table = Table(*columns, *(["before"] if before is not None else []), "")
        for row in self.rows:
            cells = [row.what, row.measured, _told(row.load), row.reference, row.ratio, row.reach]
            table.add_row(*cells, *([_compared(row, before)] if before is not None else []), _verdict(row))
        Console(width=230).print(table)
        return all(row.ok for row in self.rows)

    def write(self, path: Path) -> None:
        path.write_text(json.dumps([asdict(row) for row in self.rows], indent=1) + "\n")


def read_rows(path: Path) -> dict[str, dict[str, Any]]:
    """What ``Report.write`` wrote, by ``what``."""
    return {row["what"]: row for row in json.loads(path.read_text())}


def _told(load: dict[str, float | str]) -> str:
    if not load:
        return ""
    cpu = f", {load['cpu_us']:.0f} us" if load["cpu_us"] else ""
    return f"{load['driver']}{cpu}, {load['p50_ms']:.1f} ms, {load['p99_ms']:.1f} ms"


def _compared(row: Row, before: dict[str, dict[str, Any]]) -> str:
    """What was measured then, and how many times as much it is now where both are rates of load."""
    then = before.get(row.what)
    if then is None:
        return ""
    if not (row.load and then["load"]):
        return str(then["measured"])
    return f"{then['measured']}, {_told(then['load'])}: {row.load['per_second'] / then['load']['per_second']:.2f} x"


def _verdict(row: Row) -> str:
    return "ok" if row.ok else "MISSED"


def progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def spread(values: list[float], unit: str = "s") -> str:
    """Median with minimum and maximum."""
    ordered = sorted(values)
    return f"{ordered[len(ordered) // 2]:.2f} {unit} ({ordered[0]:.2f}-{ordered[-1]:.2f})"


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
