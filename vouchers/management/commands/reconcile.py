"""``reconcile``: prove limits, redemptions, transfers and balances against each other."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.stores import DATABASE_AWAY
from vouchers.models import OrderState, WalletOrder
from vouchers.reconciling import reconcile


class Command(BaseCommand):
    help = "Prove limits, redemptions, transfers and balances against each other. Exits with 1 and says what is wrong."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = reconcile()
        except DATABASE_AWAY as error:
            raise CommandError(f"PostgreSQL does not answer: {error}", returncode=2) from error
        for rule, example in found:
            self.stderr.write(f"{rule}: {example}")
        if found:
            raise CommandError("The books do not agree.")
        waiting = WalletOrder.objects.filter(state=OrderState.WAITING).count()
        doubt = f"; the wallet has not answered {waiting:,} orders" if waiting else ""
        self.stdout.write(f"limits, redemptions, transfers and balances agree{doubt}")
