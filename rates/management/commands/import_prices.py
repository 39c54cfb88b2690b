"""``import_prices PATH``: add prices from a CSV file."""

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import Progress

from common.importcommand import LargeImportCommand
from rates.errors import ImportedAlready, ImportRunning
from rates.prices.pricefiles import import_prices


class Command(LargeImportCommand):
    help = "Add prices in USD from a CSV file: orig_code,dest_code,day,price. Run it again when it was interrupted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--again", action="store_true", help="Also when the same file was imported before.")

    def handle(self, *args: Any, path: Path, again: bool, rejects: Path | None, **options: Any) -> None:
        try:
            with self.reasons(path), self.rejects(path, rejects) as on_reject, _bars() as on_progress:
                report = import_prices(path, again=again, on_progress=on_progress, on_reject=on_reject)
        except ImportedAlready as error:
            raise CommandError(f"{error.detail} With --again they are added once more.") from error
        except ImportRunning as error:
            raise CommandError(error.detail) from error
        self.end(f"{report.rows_added:,} added", report.rows_rejected)


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    with Progress(console=Console(stderr=True)) as bars:
        tasks = {phase: bars.add_task(phase, total=None) for phase in ("read", "added")}
        yield lambda phase, done, total: bars.update(tasks[phase], completed=done, total=total)
