"""Who has places of the vouchers that this process refuses, so that they are told so.

A voucher's stamp says which users have places, so what several statements read under one stamp belongs together. So a
set is learnt a slice per batch: all redeemers of a large voucher, read at once, would hold up a batch for a second.
Until a set is whole, its voucher is not flagged, and PostgreSQL is asked.
"""

import time
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

REDEEMERS_KEPT = 1_000_000  # 8 MB; a voucher with more is asked of the database each time
SET_WEIGHT = 50  # what a set takes beside its users, in users: 400 bytes
IN_USE_SECONDS = 10.0
NOTED_SECONDS = 1.0  # after which a use is noted again: most refusals take no lock


class Stamp(NamedTuple):
    """What a voucher was when it was read; 0, 0 for a code that is unknown. Later stamps are greater."""

    revision: int
    redeemed: int


UNKNOWN = Stamp(0, 0)


class Slice(NamedTuple):
    """What to read next: users after ``after`` in the order of their text, and how many at most."""

    code: str
    after: str
    most: int


@dataclass(slots=True)
class _Set:
    """``numbers``: sorted; those up to the user ``last``."""

    stamp: Stamp
    used_at: float
    numbers: "array[int]" = field(default_factory=lambda: array("q"))
    last: str = ""

    @property
    def weight(self) -> int:
        return SET_WEIGHT + self.stamp.redeemed


_NOBODY = _Set(UNKNOWN, 0.0)


class Redeemers:
    """One set per code, within REDEEMERS_KEPT in all. Thread-safe.

    A set that is in use stays. If it made room for another, the two of them would be read over and over again.
    """

    def __init__(self) -> None:
        self._sets: OrderedDict[str, _Set] = OrderedDict()  # what was used longest ago comes first
        self._weight = 0
        self._lock = Lock()

    def __contains__(self, key: tuple[str, Stamp]) -> bool:
        """Whether all redeemers of this code under this stamp are known."""
        return self._whole(*key) is not None

    def may_have(self, code: str, stamp: Stamp, phone_number: str) -> bool:
        """False only when the user has no place."""
        found = self._whole(code, stamp)
        if found is None:
            return True
        number = _number(phone_number)
        index = bisect_left(found.numbers, number)
        return index < len(found.numbers) and found.numbers[index] == number

    def missing(self, stamps: Mapping[str, Stamp], most: int) -> list[Slice]:
        """What to read to learn who has places of these codes, small sets first, at most ``most`` users in all."""
        slices: list[Slice] = []
        with self._lock:
            for code, stamp in sorted(stamps.items(), key=lambda item: item[1].redeemed):
                found = self._begun(code, stamp)
                if found and most and (left := stamp.redeemed - len(found.numbers)):
                    slices.append(Slice(code, found.last, min(left, most)))
                    most -= slices[-1].most
        return slices

    def add(self, code: str, after: str, stamp: Stamp, phone_numbers: Sequence[str]) -> None:
        """Keep a slice that was read under this stamp, unless another thread was first or the voucher has changed."""
        numbers = array("q", map(_number, phone_numbers))
        with self._lock:
            found = self._sets.get(code)
            if phone_numbers and found and (found.stamp, found.last) == (stamp, after):
                found.numbers.extend(numbers)
                found.last = phone_numbers[-1]

    def _whole(self, code: str, stamp: Stamp) -> _Set | None:
        if stamp.redeemed == 0:
            return _NOBODY  # and looked through all the same: an unknown code takes as long as a used-up one
        found = self._sets.get(code)
        if found is None or found.stamp != stamp or len(found.numbers) < stamp.redeemed:
            return None
        if time.monotonic() - found.used_at > NOTED_SECONDS:
            with self._lock:
                self._note_use(code, found)
        return found

    def _begun(self, code: str, stamp: Stamp) -> _Set | None:
        """The set of this stamp, opened if there is room for it."""
        found = self._sets.get(code)
        if found and found.stamp < stamp:
            self._drop(code)
            found = None
        if found is None and stamp.redeemed and self._has_room(SET_WEIGHT + stamp.redeemed):
            found = self._sets[code] = _Set(stamp, 0.0)
            self._weight += found.weight
        if found is None or found.stamp != stamp:
            return None
        self._note_use(code, found)
        return found

    def _has_room(self, weight: int) -> bool:
        idle_since = time.monotonic() - IN_USE_SECONDS
        while self._weight + weight > REDEEMERS_KEPT >= weight:
            code, oldest = next(iter(self._sets.items()))
            if oldest.used_at > idle_since:
                return False
            self._drop(code)
        return weight <= REDEEMERS_KEPT

    def _note_use(self, code: str, found: _Set) -> None:
        found.used_at = time.monotonic()
        if self._sets.get(code) is found:  # not dropped meanwhile
            self._sets.move_to_end(code)

    def _drop(self, code: str) -> None:
        self._weight -= self._sets.pop(code).weight


def _number(phone_number: str) -> int:
    """Sorts as the text does: the digits to the longest number's length, then how many they were."""
    return int(phone_number[1:].ljust(15, "0")) * 16 + len(phone_number)
