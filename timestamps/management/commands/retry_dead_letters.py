"""``retry_dead_letters``: write the entries that no table could take, if they are not refused any more."""

from typing import Any

from django.core.management.base import CommandError

from common.audit import AuditedCommand
from common.errors import FloodgateError
from common.stores.guarded import STORE_AWAY
from timestamps.records.resolving import retry_dead_letters


class Command(AuditedCommand):
    help = (
        "Write dead letters into the tables of records, if they are not refused any more; exit code 1 if any are left."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            retried, left = retry_dead_letters()
        except STORE_AWAY as error:
            raise CommandError(f"A store does not answer: {error}") from error
        except FloodgateError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{retried:,} dead letters are records now, {left:,} are still refused")
        if left:
            raise SystemExit(1)
