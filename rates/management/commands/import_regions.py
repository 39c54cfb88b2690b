"""``import_regions PATH``: create, rename and move regions from a CSV file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.importcommand import ImportCommand
from rates.places.placefiles import PlacesReport, import_regions
from rates.places.regions import Written


class PlacesCommand(ImportCommand):
    """A file of places, written at once."""

    when_away = "nothing was written"

    def run_import(self, imports: Callable[[Path], PlacesReport], path: Path) -> None:
        with self.reasons(path):
            report = imports(path)
        for reject in report.rejects:
            self.tell(reject)
        self.end(", ".join(f"{report.counts[written]:,} {written}" for written in Written), len(report.rejects))


class Command(PlacesCommand):
    help = "Create, rename and move regions from a CSV file: slug,name,parent_slug. May be run again at any time."

    def handle(self, *args: Any, path: Path, **options: Any) -> None:
        self.run_import(import_regions, path)
