"""The ledger: money moves by adding a transfer, and only so.

The database moves the balances (migrations/0001_ledger.sql).

Here ends what redemptions know of wallets: they call the functions below inside their own transaction.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from common.prepared import Prepared
from common.sqlfiles import load_sql
from vouchers.models import CASH_ACCOUNT, VOUCHERS_ACCOUNT, RedemptionState, Transfer, TransferKind
from vouchers.outbox import order_credits
from vouchers.types import Redeemed

_CREDIT = Prepared("credit_redemptions", load_sql(Path(__file__).parent / "sql" / "redeem.sql")["credit"])


class Reversal(NamedTuple):
    """Takes a redemption's amount back from its redeemer."""

    redemption_id: UUID
    redeemer: str
    amount: Decimal


def first_state() -> RedemptionState:
    """Of a redemption when ``credit_redemptions`` has returned."""
    return RedemptionState.PENDING if settings.WALLET_URL else RedemptionState.CREDITED


def credit_redemptions(redeemed: Sequence[Redeemed]) -> None:
    """Credit each redeemer, once per redemption for ever, and open the profiles that are missing.

    With WALLET_URL the deployment there is asked to, after the commit.

    Args: redeemed: of one batch, so they have one ``created_at``; at least one.
    """
    if settings.WALLET_URL:
        order_credits(redeemed)
        return
    parameters: dict[str, Any] = {
        "redeemers": [redemption.redeemer for redemption in redeemed],
        "amounts": [str(redemption.amount) for redemption in redeemed],
        "ids": [str(redemption.id) for redemption in redeemed],
        "created_at": redeemed[0].created_at,
    }
    _CREDIT.run(parameters)


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
