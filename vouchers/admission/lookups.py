"""Reads of vouchers by code, past the throttle.

Each tells whether there is a voucher. So it is a failed attempt where there is none, though nobody tried to redeem.
"""

from common.errors import RateLimited
from vouchers.admission.failedattempts import count_failed_attempts, known_throttling, throttled_lookups
from vouchers.errors import VoucherNotFound
from vouchers.selectors import read_vouchers
from vouchers.types import Lookup, VoucherState


def refuse_known_lookup(item: Lookup) -> None:
    """Raise the refusal of one of whom this process knows that it is throttled; for the event loop."""
    if refusal := known_throttling(item):
        raise refusal


def look_up_vouchers(wanted: list[Lookup]) -> list[VoucherState | VoucherNotFound | RateLimited]:
    """``read_vouchers`` for those who have not asked for too many codes that are not there.

    Args, Returns: as ``read_vouchers``; RateLimited: asked for too many.
    Source: docs/vouchers.md.
    """
    refusals = throttled_lookups(wanted)
    rest = [item for index, item in enumerate(wanted) if index not in refusals]
    found = read_vouchers([item.code for item in rest])
    count_failed_attempts(
        item for item, outcome in zip(rest, found, strict=True) if isinstance(outcome, VoucherNotFound)
    )
    answers = iter(found)
    return [refusals[index] if index in refusals else next(answers) for index in range(len(wanted))]
