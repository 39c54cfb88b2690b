"""The ledger: money moves by adding a transfer, and only so.

The database moves the balances (migrations/0001_ledger.sql). Redemptions add theirs in their own statement
(sql/redeem.sql); all others call the functions below inside their own transaction.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from vouchers.models import CASH_ACCOUNT, VOUCHERS_ACCOUNT, Transfer, TransferKind


class Reversal(NamedTuple):
    """Takes a redemption's amount back from its redeemer."""

    redemption_id: UUID
    redeemer: str
    amount: Decimal


def debit_reversals(reversals: Sequence[Reversal], at: datetime) -> None:
    """Take back what reversed redemptions credited. The caller has locked the wallets and knows that they have it."""
    Transfer.objects.bulk_create(
        Transfer(
            debit=reversal.redeemer,
            credit=VOUCHERS_ACCOUNT,
            amount=reversal.amount,
            kind=TransferKind.REVERSAL,
            redemption_id=reversal.redemption_id,
            created_at=at,
        )
        for reversal in reversals
    )


def add_cash(moves: Sequence[tuple[str, Decimal, TransferKind]], at: datetime) -> list[Transfer]:
    """Move money into (positive) and out of (negative) wallets; the caller has locked them."""
    return Transfer.objects.bulk_create(
        Transfer(
            debit=CASH_ACCOUNT if amount > 0 else phone_number,
            credit=phone_number if amount > 0 else CASH_ACCOUNT,
            amount=abs(amount),
            kind=kind,
            created_at=at,
        )
        for phone_number, amount, kind in moves
    )
