"""``import_regions PATH``: create, rename and move regions from a CSV file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.stores import DATABASE_AWAY
from rates.placefiles import PlacesReport, import_regions
from rates.regions import Written


class PlacesCommand(BaseCommand):
    """A file of places, written at once."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)

    def run_import(self, imports: Callable[[Path], PlacesReport], path: Path) -> None:
        try:
            report = imports(path)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
        except DATABASE_AWAY as error:
            raise CommandError(f"PostgreSQL does not answer; nothing was written: {error}") from error
        for line, reason in report.rejects:
            self.stderr.write(f"line {line}: {reason}")
        told = ", ".join(f"{report.counts[written]:,} {written}" for written in Written)
        self.stdout.write(f"{told}, {len(report.rejects):,} rejected")
        if report.rejects:
            raise CommandError(f"{len(report.rejects):,} rows were rejected.", returncode=1)


class Command(PlacesCommand):
    help = "Create, rename and move regions from a CSV file: slug,name,parent_slug. May be run again at any time."

    def handle(self, *args: Any, path: Path, **options: Any) -> None:
        self.run_import(import_regions, path)
