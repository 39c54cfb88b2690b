"""``import_prices PATH``: add prices from a CSV file."""

import csv
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from common.stores import DATABASE_AWAY
from rates.errors import ImportedAlready, ImportRunning
from rates.pricefiles import import_prices
from rates.pricerows import RejectedRow

REJECTS_TOLD = 20


class Command(BaseCommand):
    help = "Add prices in USD from a CSV file: orig_code,dest_code,day,price. Run it again when it was interrupted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--again", action="store_true", help="Also when the same file was imported before.")
        parser.add_argument("--rejects", type=Path, help="Write the rows that were refused to this CSV file.")

    def handle(self, *args: Any, path: Path, again: bool, rejects: Path | None, **options: Any) -> None:
        try:
            _refuse_source(path, rejects)
            with ExitStack() as stack:
                report = import_prices(
                    path,
                    again=again,
                    on_progress=_bars(stack),
                    on_reject=self._teller(stack, rejects),
                )
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be used: {error.strerror}.") from error
        except DATABASE_AWAY as error:
            raise CommandError(f"PostgreSQL does not answer; run it again: {error}") from error
        except ImportedAlready as error:
            raise CommandError(f"{error.detail} With --again they are added once more.") from error
        except ImportRunning as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{report.rows_added:,} added, {report.rows_rejected:,} rejected")
        if report.rows_rejected:
            raise CommandError(f"{report.rows_rejected:,} rows were rejected.", returncode=1)

    def _teller(self, stack: ExitStack, rejects: Path | None) -> Callable[[RejectedRow], None]:
        """Tells the first rejects, and writes all to the file that was asked for."""
        file = stack.enter_context(rejects.open("w", encoding="utf-8", newline="")) if rejects else None
        lines = csv.writer(file) if file else None
        if lines:
            lines.writerow(RejectedRow._fields)
        told = count(1)

        def tell(row: RejectedRow) -> None:
            if next(told) <= REJECTS_TOLD:
                self.stderr.write(f"line {row.line}: {row.reason}")
            if lines:
                lines.writerow(row)

        return tell


def _refuse_source(path: Path, rejects: Path | None) -> None:
    """Raises CommandError: opening the file for rejects would empty the one that is to be read."""
    if rejects and rejects.exists() and path.exists() and rejects.samefile(path):
        raise CommandError(f"{rejects} is the file that is imported; name another one for the rejects.")


def _bars(stack: ExitStack) -> Callable[[str, int, int], None]:
    bars = stack.enter_context(Progress(console=Console(stderr=True)))
    tasks = {phase: bars.add_task(phase, total=None) for phase in ("read", "added")}
    return lambda phase, done, total: bars.update(tasks[phase], completed=done, total=total)
