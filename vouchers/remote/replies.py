"""What the wallet's replies mean for redemptions: credited, or the place is free again."""

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from vouchers.locks import lock_orders, lock_redemptions, lock_vouchers
from vouchers.models import OrderState, Redemption, RedemptionState, TransferKind, Voucher, WalletOrder
from vouchers.redemption.reversing import free_places
from vouchers.types import OrderOutcome, OrderReply

FREEING = {(TransferKind.REDEMPTION, OrderOutcome.REFUSED), (TransferKind.REVERSAL, OrderOutcome.APPLIED)}
NEVER_CREDITED = "the redemption was never credited"


def apply_replies(replies: Sequence[OrderReply]) -> None:
    """Apply final replies, each once however often it comes; a conflict is none.

    A refused credit and an applied reversal free the place. Raises DatabaseError: nothing was written.
    """
    final = {reply.id: reply for reply in replies if reply.outcome is not OrderOutcome.CONFLICT}
    with transaction.atomic():
        found = WalletOrder.objects.filter(pk__in=final).select_related("redemption__voucher")
        vouchers = lock_vouchers({order.redemption.voucher.code for order in found if _frees(order, final[order.id])})
        redemptions = lock_redemptions({order.redemption_id for order in found})
        orders = lock_orders(final)
        _credit([order.redemption_id for order in orders if _credits(order, final[order.id])])
        freed = [redemptions[order.redemption_id] for order in orders if _frees(order, final[order.id])]
        if freed:
            _free(freed, vouchers)
        _note(orders, final)


def _credits(order: WalletOrder, reply: OrderReply) -> bool:
    return (order.kind, reply.outcome) == (TransferKind.REDEMPTION, OrderOutcome.APPLIED)


def _frees(order: WalletOrder, reply: OrderReply) -> bool:
    return (order.kind, reply.outcome) in FREEING


def _credit(redemption_ids: Collection[UUID]) -> None:
    Redemption.objects.filter(pk__in=redemption_ids).update(state=RedemptionState.CREDITED)


def _free(freed: Collection[Redemption], vouchers: dict[str, Voucher]) -> None:
    """A reversal of what was never credited has nothing to take back."""
    now = timezone.now()
    for redemption in freed:
        redemption.reversed_at = now
    free_places(freed, vouchers)
    idle = WalletOrder.objects.filter(redemption__in=freed, kind=TransferKind.REVERSAL, state=OrderState.WAITING)
    idle.filter(redemption__state=RedemptionState.PENDING).update(
        state=OrderState.REFUSED, last_error=NEVER_CREDITED, answered_at=now
    )


def _note(orders: Sequence[WalletOrder], final: dict[UUID, OrderReply]) -> None:
    now = timezone.now()
    by_end: dict[tuple[str, str], list[UUID]] = {}
    for order in orders:
        reply = final[order.id]
        by_end.setdefault((OrderState(reply.outcome), reply.code), []).append(order.id)
    for (state, code), ids in by_end.items():
        WalletOrder.objects.filter(pk__in=ids).update(
            state=state, last_error=code, attempts=F("attempts") + 1, answered_at=now
        )
