"""``import_ports PATH``: create, rename and move ports from a CSV file."""

from pathlib import Path
from typing import Any

from rates.management.commands.import_regions import PlacesCommand
from rates.places.placefiles import import_ports


class Command(PlacesCommand):
    help = "Create, rename and move ports from a CSV file: code,name,parent_slug. May be run again at any time."

    def handle(self, *args: Any, path: Path, **options: Any) -> None:
        self.run_import(import_ports, path)
