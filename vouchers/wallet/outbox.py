"""What another deployment's wallet is to do, written in the transaction that decided it; ``delivering.py`` sends it.

A message is a row before it is a request, so no crash loses one; and it keeps its id, so no repeat is a second one.
Those of redemptions are written by the statement that gives the places (sql/redeem.sql).
"""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from jobs.waking import Waker
from vouchers.jobs import DELIVER
from vouchers.models import OrderState, TransferKind, WalletOrder

WAKE_SECONDS = 0.1

wake_deliverer = Waker(DELIVER, WAKE_SECONDS).request


def order_reversals(redemption_ids: Collection[UUID]) -> None:
    """Have these redemptions, which are locked, taken back; each after its credit."""
    if not redemption_ids:
        return
    now = timezone.now()
    WalletOrder.objects.bulk_create(
        WalletOrder(id=uuid4(), redemption_id=id_, kind=TransferKind.REVERSAL, due_at=now, created_at=now)
        for id_ in redemption_ids
    )
    transaction.on_commit(wake_deliverer)


def orders_of(redemption_ids: Collection[UUID]) -> dict[UUID, set[TransferKind]]:
    """Kinds of the messages that wait or were applied, by redemption; those of this deployment's wallet have none."""
    orders = WalletOrder.objects.filter(redemption__in=set(redemption_ids)).exclude(state=OrderState.REFUSED)
    kinds: defaultdict[UUID, set[TransferKind]] = defaultdict(set)
    for redemption_id, kind in orders.values_list("redemption_id", "kind"):
        kinds[redemption_id].add(TransferKind(kind))
    return kinds
