"""Wallets that this deployment keeps itself. ``remotewallet.py`` has the same functions for those of another."""

from collections.abc import Sequence
from decimal import Decimal

from django.db.models import Q

from common.stores.circuits import Circuit
from common.stores.guarded import WRITE_STORE
from vouchers.errors import ProfileNotFound
from vouchers.models import USERS_BELOW, Profile, RedemptionState, Transfer
from vouchers.types import Statement, StatementLine, Wallet

FIRST_STATE = RedemptionState.CREDITED  # the statement that gives a place credits it


def store() -> Circuit:
    return WRITE_STORE


def deliver() -> None:
    """There is nothing to deliver."""


def refuse_elsewhere() -> None:
    """Money may be moved here."""


def read_wallets(phone_numbers: Sequence[str]) -> list[Wallet | ProfileNotFound]:
    rows = Profile.objects.filter(phone_number__in=set(phone_numbers))
    found = {row.phone_number: Wallet(row.id, row.phone_number, row.balance) for row in rows}
    return [found.get(phone_number) or ProfileNotFound(phone_number) for phone_number in phone_numbers]


def read_statement(phone_number: str, *, limit: int, before: int | None) -> Statement:
    if not Profile.objects.filter(phone_number=phone_number).exists():
        raise ProfileNotFound(phone_number)
    lines = ledger_lines(phone_number, limit=limit, before=before)
    return Statement(lines, lines[-1].id if len(lines) == limit else None)


def ledger_lines(phone_number: str, *, limit: int, before: int | None = None) -> list[StatementLine]:
    """A user's transfers in this deployment's ledger, the newest first."""
    lines = [*_lines("credit", phone_number, limit, before), *_lines("debit", phone_number, limit, before)]
    lines.sort(key=lambda line: line.id, reverse=True)
    return lines[:limit]


def _lines(side: str, phone_number: str, limit: int, before: int | None) -> list[StatementLine]:
    """One side of the ledger, from its own index; both together could use neither."""
    sign = Decimal(1 if side == "credit" else -1)
    rows = Transfer.objects.filter(Q(**{side: phone_number}), Q(**{f"{side}__lt": USERS_BELOW})).order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    columns = ("id", "kind", "amount", "redemption_id", "created_at")
    return [
        StatementLine(transfer_id, kind, sign * amount, redemption_id, created_at)
        for transfer_id, kind, amount, redemption_id, created_at in rows.values_list(*columns)[:limit]
    ]
