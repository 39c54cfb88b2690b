"""``import_vouchers PATH``: create vouchers from a CSV file."""

import csv
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from common.errors import InvalidInput, in_words
from common.stores import DATABASE_AWAY
from vouchers.importing import ImportReport, RejectedRow, import_vouchers

SHOWN = 20

Write = Callable[[RejectedRow], object]


class Command(BaseCommand):
    help = "Create vouchers from a CSV file: code,amount,limit,starts_at,expires_at. May be run again at any time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--rejects", type=Path, help="Write line and reason of all refused rows to this CSV file.")

    def handle(self, *args: Any, path: Path, rejects: Path | None, **options: Any) -> None:
        try:
            with _rejects_file(path, rejects) as write:
                report = self._import(path, write)
        except OSError as error:
            raise CommandError(f"{error.filename or path} cannot be read or written: {error.strerror}.") from error
        except InvalidInput as error:
            raise CommandError(in_words(error.errors)) from error
        except DATABASE_AWAY as error:
            raise CommandError(f"PostgreSQL does not answer; run it again: {error}") from error
        if not report.created + report.present + report.rejected:
            raise CommandError(f"{path} has no rows; nothing was imported.")
        self.stdout.write(f"{report.created:,} created, {report.present:,} there already, {report.rejected:,} rejected")
        if report.rejected:
            rows = "row was" if report.rejected == 1 else "rows were"
            raise CommandError(f"{report.rejected:,} {rows} rejected.", returncode=1)

    def _import(self, path: Path, write: Write) -> ImportReport:
        first: list[RejectedRow] = []

        def on_reject(reject: RejectedRow) -> None:
            write(reject)
            if len(first) < SHOWN:
                first.append(reject)

        try:
            return _import_with_bar(path, on_reject)
        finally:
            for line, reason in first:  # when the bar is gone
                self.stderr.write(f"line {line}: {reason}")


def _import_with_bar(path: Path, on_reject: Write) -> ImportReport:
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("vouchers", total=path.stat().st_size)
        return import_vouchers(path, on_reject, lambda size: bar.advance(task, size))


@contextmanager
def _rejects_file(path: Path, rejects: Path | None) -> Iterator[Write]:
    """Raises CommandError: it is the file that is imported."""
    if rejects is None:
        yield lambda reject: None
        return
    if rejects.exists() and path.exists() and rejects.samefile(path):
        raise CommandError(f"{rejects} is the file that is imported; name another one for the rejects.")
    with rejects.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(RejectedRow._fields)
        yield rows.writerow
