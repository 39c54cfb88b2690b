"""``retry_dead_letters``: write the entries that no table could take, if they are not refused any more."""

from typing import Any

from common.audit import AuditedCommand
from timestamps.records.resolving import retry_dead_letters


class Command(AuditedCommand):
    help = (
        "Write dead letters into the tables of records, if they are not refused any more; exit code 1 if any are left."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        retried, left = retry_dead_letters()
        self.stdout.write(f"{retried:,} dead letters are records now, {left:,} are still refused")
        if left:
            raise SystemExit(1)
