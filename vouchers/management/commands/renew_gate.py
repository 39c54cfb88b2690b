"""``renew_gate``: rebuild the flags of admission control from the database now."""

from typing import Any

from common.audit import AuditedCommand
from vouchers.redemption.screening import renew_flags


class Command(AuditedCommand):
    help = "Rebuild the admission gate's flags from the database now; beat does the same twice a second."

    def handle(self, *args: Any, **options: Any) -> None:
        flagged = renew_flags()
        self.stdout.write(f"{flagged:,} codes that are asked for cannot be redeemed")
