"""``renew_gate``: rebuild the flags of admission control from the database now."""

from typing import Any

from django.core.management.base import CommandError

from common.audit import AuditedCommand
from common.stores.guarded import STORE_AWAY
from vouchers.redemption.screening import renew_flags


class Command(AuditedCommand):
    help = "Rebuild the admission gate's flags from the database now; beat does the same twice a second."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            flagged = renew_flags()
        except STORE_AWAY as error:
            raise CommandError(f"A store does not answer: {error}") from error
        self.stdout.write(f"{flagged:,} codes that are asked for cannot be redeemed")
