"""``rebuild_rollup``: prove that rollups and closure are what prices and regions say, or make them so."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.audit import AuditedCommand
from rates.models import Level
from rates.prices.rebuilding import Proof, prove_rollup, repair_rollup


class Command(AuditedCommand):
    help = (
        "Make the rollups what the prices say, and the closure what the regions say; exit code 1 when --check differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="Only say what differs; nobody waits for that.")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        proof = prove_rollup() if check else repair_rollup()
        self._tell(proof)
        if proof.holds:
            self.stdout.write("rollups and closure are what prices and regions say")
        elif check:
            raise CommandError(f"{_counts(proof)} differ; run it without --check to repair them.", returncode=1)
        else:
            self.stdout.write(f"{_counts(proof)} repaired")

    def _tell(self, proof: Proof) -> None:
        for wrong in proof.examples:
            kept = f"{wrong.sum_kept} from {wrong.count_kept}" if wrong.count_kept else "nothing"
            said = f"{wrong.sum_of_prices} from {wrong.count_of_prices}" if wrong.count_of_prices else "nothing"
            where = f"{Level(wrong.level).label} {wrong.origin} to {wrong.destination} on {wrong.day}"
            self.stderr.write(f"{where}: kept {kept}, prices say {said}")


def _counts(proof: Proof) -> str:
    return f"{proof.rollups:,} rollups and {proof.closure:,} pairs of regions"
