"""Flags of admission control in this process: which requests to redeem need not be asked of anybody.

A flag holds for at most a second from the read of the database that it comes from, wherever it was copied meanwhile, so
a refusal is never older than that, also when the process that changed the voucher died before it could say so. Nothing
is counted here.

A user who has a place of a voucher is told so rather than refused (``redeemers.py``).
"""

import time
from typing import NamedTuple

from common.errors import FloodgateError
from common.recent import Recent
from vouchers.admission.redeemers import Redeemers, Stamp
from vouchers.errors import AlreadyRedeemed, VoucherUnavailable
from vouchers.types import Redeemed

FLAG_SECONDS = 1.0
CODES_KEPT = 50_000
USERS_KEPT = 50_000


class _Flag(NamedTuple):
    stamp: Stamp
    until: float  # 0 where the voucher changed: nothing older than the stamp is believed


class _First(NamedTuple):
    redemption: Redeemed
    revision: int
    until: float


class Flags:
    """Thread-safe: each call is a few operations on dictionaries."""

    def __init__(self) -> None:
        self.redeemers = Redeemers()
        self._codes: Recent[str, _Flag] = Recent(CODES_KEPT)
        self._firsts: Recent[tuple[str, str], _First] = Recent(USERS_KEPT)

    def refusal(self, code: str, phone_number: str) -> FloodgateError | None:
        """Why this user cannot redeem this voucher; None where somebody must be asked."""
        now = time.monotonic()
        flag = self._codes.get(code)
        first = self._firsts.get((code, phone_number))
        if first and first.until > now and not (flag and flag.stamp.revision > first.revision):
            return AlreadyRedeemed(first.redemption, first.revision)
        if flag is None or flag.until <= now or self.redeemers.may_have(code, flag.stamp, phone_number):
            return None
        return VoucherUnavailable(*flag.stamp)

    def was_refused(self, code: str) -> bool:
        """Whether the code was flagged lately, also when the flag has ended."""
        flag = self._codes.get(code)
        return flag is not None and flag.until > 0

    def refuse(self, code: str, stamp: Stamp, until: float) -> None:
        """Flag a code until ``time.monotonic()`` says so; the stamp's redeemers are kept already."""
        if (found := self._codes.get(code)) is None or stamp >= found.stamp:
            self._codes.set(code, _Flag(stamp, until))

    def refuse_user(self, first: Redeemed, revision: int, until: float) -> None:
        self._firsts.set((first.voucher_code, first.redeemer), _First(first, revision, until))

    def reopen(self, code: str, revision: int) -> None:
        """The voucher changed, and has this revision now."""
        self._codes.set(code, _Flag(Stamp(revision, 0), 0.0))


FLAGS = Flags()
