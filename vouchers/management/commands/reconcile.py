"""``reconcile``: prove limits, redemptions, transfers and balances against each other."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from common.stores.guarded import DATABASE_AWAY
from vouchers.errors import WalletUnavailable
from vouchers.models import OrderState, WalletOrder
from vouchers.remote.comparing import compare_with_wallet
from vouchers.wallet.reconciling import Discrepancy, reconcile


class Command(BaseCommand):
    help = (
        "Prove limits, redemptions, transfers and balances against each other; with WALLET_URL also what the wallet"
        " there has of the newest redemptions. Exits with 1 and says what is wrong, or with 2 when it cannot know."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            agree = self._tell(reconcile())
            if settings.WALLET_URL:
                compared, found = compare_with_wallet()
                agree = self._tell(found) and agree
                self.stdout.write(f"{compared:,} redemptions were compared with the wallet's transfers")
            waiting = WalletOrder.objects.filter(state=OrderState.WAITING).count()
        except DATABASE_AWAY as error:
            raise CommandError(f"PostgreSQL does not answer: {error}", returncode=2) from error
        except WalletUnavailable as error:
            raise CommandError(f"The wallet does not answer: {error.reason}", returncode=2) from error
        if not agree:
            raise CommandError("The books do not agree.")
        doubt = f"; the wallet has not answered {waiting:,} orders" if waiting else ""
        self.stdout.write(f"limits, redemptions, transfers and balances agree{doubt}")

    def _tell(self, found: Iterable[Discrepancy]) -> bool:
        """Whether there was nothing to tell."""
        lines = [f"{rule}: {example}" for rule, example in found]
        for line in lines:
            self.stderr.write(line)
        return not lines
