"""Where users have their money: here, or with WALLET_URL in another deployment."""

from collections.abc import Sequence
from typing import Protocol

from django.conf import settings

from common.stores.circuits import Circuit
from vouchers.errors import ProfileNotFound
from vouchers.models import RedemptionState
from vouchers.types import Statement, Wallet
from vouchers.wallet import local, remotewallet


class Wallets(Protocol):
    """What ``local.py`` and ``remotewallet.py`` have in common.

    Attributes: FIRST_STATE: of a redemption.
    """

    FIRST_STATE: RedemptionState

    def store(self) -> Circuit:
        """What must answer for a read."""

    def deliver(self) -> None:
        """Have written orders sent, when they are committed."""

    def refuse_elsewhere(self) -> None:
        """Raises WalletElsewhere: money is not moved here."""

    def read_wallets(self, phone_numbers: Sequence[str]) -> list[Wallet | ProfileNotFound]:
        """In the order of ``phone_numbers``. Raises WalletUnavailable: another's only."""

    def read_statement(self, phone_number: str, *, limit: int, before: int | None) -> Statement:
        """A user's transfers, the newest first.

        Args:   limit: of the page; before: the last one that the reader has.
        Raises: ProfileNotFound; WalletUnavailable: another's only.
        """


def wallets() -> Wallets:
    return remotewallet if settings.WALLET_URL else local


def read_wallets(phone_numbers: list[str]) -> list[Wallet | ProfileNotFound]:
    """As ``Wallets`` has it, of whichever keeps them."""
    return wallets().read_wallets(phone_numbers)
