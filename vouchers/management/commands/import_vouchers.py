"""``import_vouchers PATH``: create vouchers from a CSV file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from common.importcommand import LargeImportCommand
from vouchers.codes.importing import import_vouchers


class Command(LargeImportCommand):
    help = "Create vouchers from a CSV file: code,amount,limit,starts_at,expires_at. May be run again at any time."

    def handle(self, *args: Any, path: Path, rejects: Path | None, **options: Any) -> None:
        with self.reasons(path), self.rejects(path, rejects) as on_reject, _bar() as on_progress:
            report = import_vouchers(path, on_reject, on_progress)
        self.end(f"{report.created:,} created, {report.present:,} there already", report.rejected)


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("vouchers", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
