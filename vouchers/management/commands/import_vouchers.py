"""``import_vouchers PATH``: create vouchers from a CSV file."""

import csv
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from common.stores import DATABASE_AWAY
from vouchers.importing import ImportReport, import_vouchers


class Command(BaseCommand):
    help = "Create vouchers from a CSV file: code,amount,limit,starts_at,expires_at. May be run again at any time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--rejects", type=Path, help="Write the rows that were refused to this CSV file.")

    def handle(self, *args: Any, path: Path, rejects: Path | None, **options: Any) -> None:
        try:
            report = _import_with_bar(path)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
        except DATABASE_AWAY as error:
            raise CommandError(f"PostgreSQL does not answer; run it again: {error}") from error
        self._tell(report, rejects)

    def _tell(self, report: ImportReport, rejects: Path | None) -> None:
        for line, reason in report.rejects[:20]:
            self.stderr.write(f"line {line}: {reason}")
        if rejects:
            with rejects.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([("line", "reason"), *report.rejects])
        self.stdout.write(f"{report.created:,} created, {report.present:,} there already, {report.rejected:,} rejected")
        if report.rejected:
            raise CommandError(f"{report.rejected:,} rows were rejected.", returncode=1)


def _import_with_bar(path: Path) -> ImportReport:
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("vouchers", total=path.stat().st_size)
        return import_vouchers(path, lambda size: bar.advance(task, size))
