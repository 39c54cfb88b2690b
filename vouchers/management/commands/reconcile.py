"""``reconcile``: prove limits, redemptions, transfers and balances against each other."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError

from vouchers.reconciling import reconcile


class Command(BaseCommand):
    help = "Prove limits, redemptions, transfers and balances against each other. Exits with 1 and says what is wrong."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = reconcile()
        except (OperationalError, InterfaceError) as error:
            raise CommandError(f"PostgreSQL does not answer: {error}", returncode=2) from error
        for rule, example in found:
            self.stderr.write(f"{rule}: {example}")
        if found:
            raise CommandError("The books do not agree.")
        self.stdout.write("limits, redemptions, transfers and balances agree")
