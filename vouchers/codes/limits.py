"""Raising and lowering the limits of vouchers, also while they are being redeemed."""

from functools import partial

from django.db import transaction

from vouchers.admission.shared import clear_flags
from vouchers.errors import LimitBelowRedeemed, VoucherNotFound
from vouchers.locks import lock_vouchers
from vouchers.models import LimitChangeRecord, Voucher
from vouchers.selectors import state_of
from vouchers.types import LimitChange, VoucherState


def change_limits(changes: list[LimitChange]) -> list[VoucherState | VoucherNotFound | LimitBelowRedeemed]:
    """Change limits, and keep who changed which, when, from what to what.

    Args:    changes: N, limits at least 1; carried out in this order.
    Returns: N outcomes in the order of ``changes``; an error: that limit stays as it was. A limit that is the same
             already is no change, and is not kept.
    Source:  docs/vouchers.md.
    """
    with transaction.atomic():
        vouchers = lock_vouchers({change.code for change in changes})
        records: list[LimitChangeRecord] = []
        outcomes = [_change(vouchers.get(change.code), change, records) for change in changes]
        LimitChangeRecord.objects.bulk_create(records)
        changed = {record.voucher.code: record.voucher for record in records}
        Voucher.objects.bulk_update(changed.values(), ["limit", "revision"])
        revisions = {code: voucher.revision for code, voucher in changed.items()}
        transaction.on_commit(partial(clear_flags, revisions))
    return outcomes


def _change(
    voucher: Voucher | None, change: LimitChange, records: list[LimitChangeRecord]
) -> VoucherState | VoucherNotFound | LimitBelowRedeemed:
    if voucher is None:
        return VoucherNotFound()
    if change.limit < voucher.redeemed:
        return LimitBelowRedeemed(voucher.redeemed)
    if change.limit == voucher.limit:
        return state_of(voucher)
    records.append(
        LimitChangeRecord(
            voucher=voucher, changed_by=change.changed_by, limit_before=voucher.limit, limit_after=change.limit
        )
    )
    voucher.limit = change.limit
    voucher.revision += 1
    return state_of(voucher)
