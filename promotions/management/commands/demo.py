"""``make demo``: a realistic file, imported into the running stack."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from promotions.management.commands.import_promotions import require_stack
from promotions.rows.samples import write_sample


class Command(BaseCommand):
    help = "Generate a file of promotions with a few bad rows and import it. Needs `make run` beside it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rows", type=int, default=1_000_000)
        parser.add_argument("--seed", type=int, default=1)

    def handle(self, *args: Any, rows: int, seed: int, **options: Any) -> None:
        require_stack()
        path = Path(settings.IMPORT_ROOT) / "demo.csv"
        self.stdout.write(f"writing {rows:,} rows to {path}")
        write_sample(path, rows, seed=seed, duplicates=rows // 20_000)
        call_command("import_promotions", str(path), wait=True, stdout=self.stdout)
        with path.open(encoding="ascii") as file:
            first_id = file.readline().partition(",")[0]
        self.stdout.write(f"read one: curl localhost:{settings.PORT}/promotions/{first_id}")
