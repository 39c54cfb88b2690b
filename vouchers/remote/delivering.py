"""Sends the messages of the outbox to the wallet of another deployment until each has its reply.

What is not known is sent again, with the same ids, after a pause that grows with each attempt. One worker at a time has
the lease; should two send at once, the wallet replies the same to both.
"""

import logging
import time
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from common.stores.sqlfiles import load_sql
from vouchers.errors import WalletUnavailable
from vouchers.locks import delivery_lease
from vouchers.models import OrderState, TransferKind, WalletOrder
from vouchers.remote.replies import apply_replies
from vouchers.types import Order, OrderOutcome
from vouchers.wallet.remotewallet import send_orders

logger = logging.getLogger(__name__)
BATCH = 500
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 15.0  # each between half and all of it
REASON_CHARACTERS = 500
_SQL = load_sql(Path(__file__).parents[1] / "sql" / "orders.sql")


def deliver_orders(seconds: float = inf) -> bool:
    """Send what is due, for about ``seconds``.

    Returns: whether there may be more to do; False when nothing is due, another worker sends, or the wallet is away
             or unknown.
    Raises:  DatabaseError: call again later; the replies that were lost come again.
    Source:  docs/vouchers.md.
    """
    if not settings.WALLET_URL:
        logger.error("wallet_orders_stranded")  # a wake-up says that some wait
        return False
    until = time.monotonic() + seconds
    with delivery_lease() as is_mine:
        while is_mine and time.monotonic() < until:
            due = _due()
            if not due or not _deliver(due):
                return False
        return is_mine


def _due() -> list[WalletOrder]:
    """A reversal is due only when its credit has its reply."""
    waiting = WalletOrder.objects.filter(state=OrderState.WAITING)
    credit = waiting.filter(redemption=OuterRef("redemption"), kind=TransferKind.REDEMPTION)
    due = waiting.filter(Q(kind=TransferKind.REDEMPTION) | ~Exists(credit), due_at__lte=timezone.now())
    return list(due.select_related("redemption").order_by("due_at", "id")[:BATCH])


def _deliver(due: Sequence[WalletOrder]) -> bool:
    try:
        replies = send_orders([_order(row) for row in due])
    except WalletUnavailable as error:
        logger.warning("wallet_unavailable", extra={"orders": len(due), "reason": error.reason})
        _postpone(due, error.reason)
        return False
    apply_replies(replies)
    conflicts = [reply for reply in replies if reply.outcome is OrderOutcome.CONFLICT]
    if conflicts:
        logger.error("wallet_disagrees", extra={"orders": len(conflicts), "first": str(conflicts[0].id)})
        rows = {row.id: row for row in due}
        _postpone([rows[conflict.id] for conflict in conflicts], conflicts[0].code)
    return True


def _order(row: WalletOrder) -> Order:
    return Order(row.id, row.kind, row.redemption_id, row.redemption.redeemer, row.redemption.amount)


def _postpone(rows: Sequence[WalletOrder], reason: str) -> None:
    parameters: dict[str, Any] = {
        "ids": [row.id for row in rows],
        "reason": reason[:REASON_CHARACTERS],
        "first": FIRST_PAUSE_SECONDS,
        "longest": LONGEST_PAUSE_SECONDS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SQL["postpone"], parameters)
