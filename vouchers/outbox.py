"""What another deployment's wallet is to do, written in the transaction that decided it; ``delivering.py`` sends it.

An order is a row before it is a request, so no crash loses one; and it keeps its id, so no repeat is a second one.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from common.prepared import Prepared
from common.sqlfiles import load_sql
from common.wakeups import wake
from vouchers.models import OrderState, TransferKind, WalletOrder
from vouchers.types import Redeemed

TASK = "vouchers.deliver_orders"
QUEUE = "batches"
WAKE_SECONDS = 0.1  # at most one wake-up in this time from each process; beat makes up for those left out
_ORDER_CREDITS = Prepared("order_credits", load_sql(Path(__file__).parent / "sql" / "orders.sql")["order_credits"])


def order_credits(redeemed: Sequence[Redeemed]) -> None:
    """Have each redeemer credited after the commit.

    Args: redeemed: of one batch, so they have one ``created_at``; at least one.
    """
    parameters: dict[str, Any] = {
        "ids": [str(redemption.id) for redemption in redeemed],
        "created_at": redeemed[0].created_at,
    }
    _ORDER_CREDITS.run(parameters)
    transaction.on_commit(_wakeup.send)


def order_reversals(redemption_ids: Collection[UUID]) -> None:
    """Have these redemptions, which are locked, taken back; each after its credit."""
    if not redemption_ids:
        return
    now = timezone.now()
    WalletOrder.objects.bulk_create(
        WalletOrder(id=uuid4(), redemption_id=id_, kind=TransferKind.REVERSAL, due_at=now, created_at=now)
        for id_ in redemption_ids
    )
    transaction.on_commit(_wakeup.send)


def orders_of(redemption_ids: Collection[UUID]) -> dict[UUID, set[TransferKind]]:
    """Kinds of the orders that wait or were applied, by redemption; those of this deployment's wallet have none."""
    orders = WalletOrder.objects.filter(redemption__in=set(redemption_ids)).exclude(state=OrderState.REFUSED)
    kinds: defaultdict[UUID, set[TransferKind]] = defaultdict(set)
    for redemption_id, kind in orders.values_list("redemption_id", "kind"):
        kinds[redemption_id].add(TransferKind(kind))
    return kinds


def wake_deliverer() -> None:
    wake(TASK, QUEUE, workers=1)


class _Wakeup:
    def __init__(self) -> None:
        self._sent_at = 0.0

    def send(self) -> None:
        now = time.monotonic()
        if now - self._sent_at >= WAKE_SECONDS:
            self._sent_at = now
            wake_deliverer()


_wakeup = _Wakeup()
