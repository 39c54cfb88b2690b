"""Figures as people read them."""

import sys
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass
class Report:
    """Rows of: what, the measured figure, the reference, the ratio and what it is to reach."""

    rows: list[tuple[str, str, str, str, str, bool]] = field(default_factory=list)

    def add(self, what: str, measured: str, reference: str, ratio: str, reach: str, *, ok: bool) -> None:
        self.rows.append((what, measured, reference, ratio, reach, ok))
        progress(f"{what}: {measured} | {reference} | {ratio} | reach {reach} | {'ok' if ok else 'MISSED'}")

    def show(self) -> bool:
        """Print the table; answers whether every figure was reached."""
        table = Table("what", "measured", "reference in this run", "ratio", "reach", "")
        for *cells, ok in self.rows:
            table.add_row(*map(str, cells), "ok" if ok else "MISSED")
        Console(width=180).print(table)
        return all(ok for *_, ok in self.rows)


def progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def spread(values: list[float], unit: str = "s") -> str:
    """Median with minimum and maximum."""
    ordered = sorted(values)
    return f"{ordered[len(ordered) // 2]:.2f} {unit} ({ordered[0]:.2f}-{ordered[-1]:.2f})"


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
