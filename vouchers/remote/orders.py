"""The wallet's side: each order from another deployment's outbox is carried out or refused once, however often sent.

Replies are kept for ever with the transfers, in one transaction; a transfer per redemption and kind is UNIQUE besides.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from common.stores.sqlfiles import load_sql
from vouchers.errors import BalanceTooLow
from vouchers.models import VOUCHERS_ACCOUNT, Profile, Redemption, Transfer, TransferKind, WalletAnswer
from vouchers.types import Order, OrderedTransfer, OrderOutcome, OrderReply
from vouchers.wallet.outbox import orders_of

ORDERS_MAX = 1_000  # of one call
CONFLICT, NOT_CREDITED, INVALID = "order-conflict", "redemption-not-credited", "invalid-input"
OURS = "redemption-of-this-deployment"
ATTEMPTS = 3
_SQL = load_sql(Path(__file__).parents[1] / "sql" / "orders.sql")


class _Books:
    """What the wallet knows of a batch of messages, and what is decided on; the wallets are locked."""

    def __init__(self, orders: Sequence[Order]) -> None:
        ids = {order.id for order in orders}
        transfers = Transfer.objects.filter(redemption_id__in={order.redemption_id for order in orders})
        profiles = Profile.objects.filter(phone_number__in=_phone_numbers(orders))
        self.codes: dict[UUID, str] = dict(WalletAnswer.objects.filter(pk__in=ids).values_list("id", "code"))
        self.transfers = {(transfer.redemption_id, transfer.kind): transfer for transfer in transfers}
        self.balances: dict[str, Decimal] = dict(profiles.values_list("phone_number", "balance"))
        self.ours = _ours({order.redemption_id for order in orders})
        self.added: list[Transfer] = []

    def add(self, transfer: Transfer) -> None:
        change = -transfer.amount if transfer.kind == TransferKind.REVERSAL else transfer.amount
        self.balances[_user(transfer)] += change
        self.transfers[transfer.redemption_id, transfer.kind] = transfer
        self.added.append(transfer)


def apply_orders(orders: list[Order]) -> list[OrderReply]:
    """Carry out what was not carried out before.

    Args:    orders: N; carried out in this order.
    Returns: N replies in the order of ``orders``; an order that was replied to before gets that reply again.
    Raises:  DatabaseError: nothing was done, or all of it when the connection broke in the commit.
    Source:  docs/vouchers.md.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return _apply(orders)
        except IntegrityError:  # somebody decided on one of them at the same time; the next attempt sees how
            continue
    return _apply(orders)


@transaction.atomic
def _apply(orders: Sequence[Order]) -> list[OrderReply]:
    """One attempt. Orders on one wallet wait for each other; others meet at the UNIQUE ids, which are written sorted.

    Raises: IntegrityError: another transaction decided on one of them meanwhile.
    """
    now = timezone.now()
    _lock_wallets(_phone_numbers(orders), now)
    books = _Books(orders)
    known = set(books.codes)
    replies = [_reply(order, books, now) for order in orders]
    Transfer.objects.bulk_create(sorted(books.added, key=lambda transfer: str(transfer.redemption_id)))
    _keep([order for order in orders if order.id not in known], books, now)
    return replies


def _ours(redemption_ids: Collection[UUID]) -> set[UUID]:
    """Those of redemptions of this deployment's own vouchers, whose wallets are here without any message."""
    found = set(Redemption.objects.filter(pk__in=redemption_ids).values_list("id", flat=True))
    return found - orders_of(found).keys()


def _phone_numbers(orders: Iterable[Order]) -> set[str]:
    return {order.phone_number for order in orders if order.phone_number is not None}


def _lock_wallets(phone_numbers: set[str], now: datetime) -> None:
    """A statement of its own: the next ones must see what the last holder of each lock committed."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL["lock_wallets"], {"phone_numbers": sorted(phone_numbers), "now": now})


def _reply(order: Order, books: _Books, now: datetime) -> OrderReply:
    if order.redemption_id in books.ours:  # reversed by order, it could never be reversed here
        return OrderReply(order.id, OrderOutcome.CONFLICT, OURS)
    if code := books.codes.get(order.id):
        return OrderReply(order.id, OrderOutcome.REFUSED, code)
    made = books.transfers.get((order.redemption_id, order.kind))
    if made is not None:
        return _applied(order) if _agree(order, made) else OrderReply(order.id, OrderOutcome.CONFLICT, CONFLICT)
    if order.id in books.codes:
        return OrderReply(order.id, OrderOutcome.CONFLICT, CONFLICT)
    return _decide(order, books, now)


def _decide(order: Order, books: _Books, now: datetime) -> OrderReply:
    if order.phone_number is None or order.amount is None:
        return _refuse(order, INVALID, books)
    if order.kind == TransferKind.REVERSAL:
        credit = books.transfers.get((order.redemption_id, TransferKind.REDEMPTION))
        if credit is None or not _agree(order, credit):
            return OrderReply(order.id, OrderOutcome.CONFLICT, CONFLICT if credit else NOT_CREDITED)
        if books.balances[order.phone_number] < order.amount:
            return _refuse(order, BalanceTooLow.code, books)
    books.add(_transfer(order, order.phone_number, order.amount, now))
    books.codes[order.id] = ""
    return _applied(order)


def transfers_of(redemption_ids: Collection[UUID]) -> list[OrderedTransfer]:
    """What is in this ledger of these redemptions, in the order in which it was written."""
    rows = Transfer.objects.filter(redemption_id__in=redemption_ids).order_by("id")
    return [OrderedTransfer(row.redemption_id, row.kind, _user(row), row.amount) for row in rows if row.redemption_id]


def _applied(order: Order) -> OrderReply:
    return OrderReply(order.id, OrderOutcome.APPLIED)


def _refuse(order: Order, code: str, books: _Books) -> OrderReply:
    books.codes[order.id] = code
    return OrderReply(order.id, OrderOutcome.REFUSED, code)


def _transfer(order: Order, phone_number: str, amount: Decimal, now: datetime) -> Transfer:
    is_credit = order.kind == TransferKind.REDEMPTION
    return Transfer(
        debit=VOUCHERS_ACCOUNT if is_credit else phone_number,
        credit=phone_number if is_credit else VOUCHERS_ACCOUNT,
        amount=amount,
        kind=order.kind,
        redemption_id=order.redemption_id,
        created_at=now,
    )


def _user(transfer: Transfer) -> str:
    return transfer.credit if transfer.kind == TransferKind.REDEMPTION else transfer.debit


def _agree(order: Order, transfer: Transfer) -> bool:
    return (order.phone_number, order.amount) == (_user(transfer), transfer.amount)


def _keep(orders: Iterable[Order], books: _Books, now: datetime) -> None:
    decided = {order.id: order for order in orders if order.id in books.codes}
    WalletAnswer.objects.bulk_create(
        WalletAnswer(
            id=order.id,
            kind=order.kind,
            redemption_id=order.redemption_id,
            code=books.codes[order.id],
            answered_at=now,
        )
        for _, order in sorted(decided.items())
    )
