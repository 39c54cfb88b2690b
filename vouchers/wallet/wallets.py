"""Profiles opened by hand, and money in and out of wallets."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from django.db import connection, transaction
from django.utils import timezone

from common.stores.sqlfiles import load_sql
from vouchers.errors import BalanceTooLow, ProfileExists, ProfileNotFound
from vouchers.locks import lock_profiles
from vouchers.models import Profile, TransferKind
from vouchers.types import Moved, Movement, Wallet
from vouchers.wallet.ledger import add_cash

_SQL = load_sql(Path(__file__).parents[1] / "sql" / "wallets.sql")


def open_profiles(wanted: list[Movement]) -> list[Wallet | ProfileExists]:
    """Open profiles with what their users bring along.

    Args:    wanted: N; ``amount`` is the balance to open with, not negative. Of several for one user the first counts.
    Returns: N outcomes in the order of ``wanted``; ProfileExists: what there is was not changed.
    Source:  docs/vouchers.md.
    """
    first = {movement.phone_number: index for index, movement in reversed(list(enumerate(wanted)))}
    with transaction.atomic():
        now = timezone.now()
        opened = _open_free(sorted(first), now)
        moves = [wanted[index] for phone_number, index in first.items() if phone_number in opened]
        filled = [move for move in moves if move.amount]
        add_cash([(*move, TransferKind.OPENING) for move in filled], now)
    return [
        Wallet(opened[phone_number], phone_number, amount)
        if phone_number in opened and first[phone_number] == index
        else ProfileExists(phone_number)
        for index, (phone_number, amount) in enumerate(wanted)
    ]


def _open_free(phone_numbers: Sequence[str], now: datetime) -> dict[str, int]:
    """Ids of the empty profiles that were opened, by phone number."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL["open"], {"phone_numbers": list(phone_numbers), "now": now})
        return dict(cursor.fetchall())


def move_money(movements: list[Movement]) -> list[Moved | ProfileNotFound | BalanceTooLow]:
    """Deposit (positive) and withdraw (negative).

    Args:    movements: N, none of them zero; carried out in this order.
    Returns: N outcomes in the order of ``movements``; an error: that one was not carried out.
    Source:  docs/vouchers.md.
    """
    with transaction.atomic():
        profiles = lock_profiles({movement.phone_number for movement in movements})
        decided = [_decide(profiles.get(movement.phone_number), movement) for movement in movements]
        now = timezone.now()
        allowed = [
            (movement, balance)
            for movement, balance in zip(movements, decided, strict=True)
            if isinstance(balance, Decimal)
        ]
        transfers = iter(add_cash([(*movement, _kind(movement)) for movement, _ in allowed], now))
    return [
        Moved(next(transfers).id, *movement, decision, now) if isinstance(decision, Decimal) else decision
        for movement, decision in zip(movements, decided, strict=True)
    ]


def _decide(profile: Profile | None, movement: Movement) -> Decimal | ProfileNotFound | BalanceTooLow:
    """The balance after it, noted on the locked row, or why not."""
    if profile is None:
        return ProfileNotFound(movement.phone_number)
    if profile.balance + movement.amount < 0:
        return BalanceTooLow(profile.balance)
    profile.balance += movement.amount
    return profile.balance


def _kind(movement: Movement) -> TransferKind:
    return TransferKind.DEPOSIT if movement.amount > 0 else TransferKind.WITHDRAWAL
