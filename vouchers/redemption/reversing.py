"""Taking redemptions back: the place is free again, and the amount leaves the wallet by a transfer of its own.

Another deployment's wallet is asked first: the place stays taken until it has agreed (``replies.py``).
"""

from collections.abc import Collection, Sequence
from functools import partial
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from vouchers.admission.shared import clear_flags
from vouchers.errors import RedemptionNotFound, RedemptionReversed, RedemptionSpent
from vouchers.locks import lock_profiles, lock_redemptions, lock_vouchers
from vouchers.models import Profile, Redemption, TransferKind, Voucher
from vouchers.types import ReversedRedemption
from vouchers.wallet.ledger import Reversal, debit_reversals
from vouchers.wallet.outbox import order_reversals, orders_of

Outcome = ReversedRedemption | RedemptionNotFound | RedemptionReversed | RedemptionSpent


def reverse_redemptions(ids: list[UUID]) -> list[Outcome]:
    """Take redemptions back; the same user may then redeem the voucher again.

    Args:    ids: N; carried out in this order.
    Returns: N outcomes in the order of ``ids``. RedemptionReversed: earlier. RedemptionSpent: the redeemer has less
             than the amount by now. Neither changed anything. A ReversedRedemption without ``reversed_at`` was
             ordered of another deployment's wallet, which may still refuse it.
    Source:  docs/vouchers.md.
    """
    with transaction.atomic():
        codes = Redemption.objects.filter(pk__in=ids).values_list("voucher__code", flat=True)
        vouchers = lock_vouchers(set(codes))
        redemptions = lock_redemptions(ids)
        orders = orders_of(ids)
        profiles = lock_profiles(
            {redemption.redeemer for redemption in redemptions.values() if redemption.id not in orders}
        )
        outcomes = [_reverse(redemption_id, redemptions.get(redemption_id), profiles, orders) for redemption_id in ids]
        agreed = [outcome for outcome in outcomes if isinstance(outcome, ReversedRedemption)]
        _write([redemptions[outcome.id] for outcome in agreed if outcome.reversed_at], vouchers)
        order_reversals([outcome.id for outcome in agreed if outcome.reversed_at is None])
    return outcomes


def _reverse(
    redemption_id: UUID,
    redemption: Redemption | None,
    profiles: dict[str, Profile],
    orders: dict[UUID, set[TransferKind]],
) -> Outcome:
    """Decide, and note the decision on the rows that are locked."""
    if redemption is None:
        return RedemptionNotFound(redemption_id)
    if redemption.reversed_at is not None:
        return RedemptionReversed()
    if redemption.id in orders:
        if TransferKind.REVERSAL in orders[redemption.id]:
            return RedemptionReversed()
        orders[redemption.id].add(TransferKind.REVERSAL)
    else:
        profile = profiles[redemption.redeemer]
        if profile.balance < redemption.amount:
            return RedemptionSpent()
        profile.balance -= redemption.amount
        redemption.reversed_at = timezone.now()
    return ReversedRedemption(
        redemption.id,
        redemption.voucher.code,
        redemption.redeemer,
        redemption.amount,
        redemption.created_at,
        redemption.reversed_at,
    )


def _write(reversed_now: Sequence[Redemption], vouchers: dict[str, Voucher]) -> None:
    if reversed_now:
        free_places(reversed_now, vouchers)
        reversals = [Reversal(redemption.id, redemption.redeemer, redemption.amount) for redemption in reversed_now]
        debit_reversals(reversals, timezone.now())


def free_places(reversed_now: Collection[Redemption], vouchers: dict[str, Voucher]) -> None:
    """Write what was noted on redemptions; they and their vouchers are locked. Flags are cleared."""
    touched = {redemption.voucher.code: vouchers[redemption.voucher.code] for redemption in reversed_now}
    for redemption in reversed_now:
        voucher = touched[redemption.voucher.code]
        voucher.redeemed -= 1
        voucher.revision += 1
    Redemption.objects.bulk_update(reversed_now, ["reversed_at"])
    Voucher.objects.bulk_update(touched.values(), ["redeemed", "revision"])
    transaction.on_commit(partial(clear_flags, {code: voucher.revision for code, voucher in touched.items()}))
