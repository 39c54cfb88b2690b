"""The flags of admission control in the cache Valkey, which all processes share. It may lose them: that costs speed.

Flags carry the voucher's stamp and are written only over older ones, so that one that was seen before a change cannot
come after the change's own mark. A flag ends where the read that it comes from is a second old.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, cast

from redis.commands.core import Script
from redis.exceptions import ResponseError

from common.stores import valkey
from common.stores.luafiles import load_lua
from vouchers.admission.cachecalls import ask_cache
from vouchers.admission.failedattempts import WINDOW_SECONDS, Subject, attempts_left, failed_attempts_key
from vouchers.admission.flags import FLAG_SECONDS, FLAGS
from vouchers.admission.redeemers import Stamp
from vouchers.parsing import voucher_code

CHANGE_KEPT_SECONDS = 10  # longer than any flag that was seen before it can take to arrive
ASKED_SECONDS = 10
ASKED_KEPT = 10_000
SLICE = 5_000


class Moment(NamedTuple):
    """One instant on two clocks: ``time.monotonic()``, and the store's in ms; 0 while it does not answer."""

    here: float
    store_ms: int


def read_shared_flags(codes: Collection[str] = ()) -> Moment:
    """Copy what other processes have flagged of these codes, as far as this one knows their redeemers.

    Returns: a moment before whatever the caller reads next.
    """
    return read_shared(codes, ())[0]


def read_shared(codes: Collection[str], subjects: Collection[Subject]) -> tuple[Moment, dict[Subject, int]]:
    """``read_shared_flags``, and by the same call the attempts that each has left; none while the store is away."""
    here = time.monotonic()
    listed = list(codes)
    refused_before = [code if FLAGS.was_refused(code) else "" for code in listed]
    keys = [valkey.key("gate-asked"), *map(_key, listed), *map(failed_attempts_key, subjects)]
    answer = ask_cache(_script("asked"), keys, [ASKED_SECONDS, ASKED_KEPT, WINDOW_SECONDS, *refused_before])
    if answer is None:
        return Moment(here, 0), {}
    for code, found in zip(listed, answer[1:], strict=False):
        if found:
            stamp = Stamp(*map(int, found[0].split()))
            if (code, stamp) in FLAGS.redeemers:
                FLAGS.refuse(code, stamp, here + min(found[1] / 1000, FLAG_SECONDS))
    return Moment(here, answer[0]), attempts_left(subjects, answer[1 + len(listed) :])


def flag_codes(stamps: Mapping[str, Stamp], seen: Moment) -> None:
    """Flag codes for all processes; this one keeps their redeemers already.

    Args: seen: before the read that found that they cannot be redeemed.
    """
    for code, stamp in stamps.items():
        FLAGS.refuse(code, stamp, seen.here + FLAG_SECONDS)
    if seen.store_ms:
        until_ms = seen.store_ms + round(1000 * FLAG_SECONDS)
        _write([(code, "x", *stamp, until_ms) for code, stamp in stamps.items()])


def clear_flags(revisions: Mapping[str, int]) -> None:
    """Say that vouchers changed, after the commit; never raises."""
    for code, revision in revisions.items():
        FLAGS.reopen(code, revision)
    if store_ms := read_shared_flags().store_ms:
        until_ms = store_ms + 1000 * CHANGE_KEPT_SECONDS
        _write([(code, "o", revision, 0, until_ms) for code, revision in revisions.items()])


def asked_codes() -> list[str]:
    """Codes that were asked for lately after they had been refused. Raises RedisError."""
    try:
        asked = cast(list[bytes], valkey.cache_store().zrange(valkey.key("gate-asked"), 0, -1))
    except ResponseError:  # the key holds something else, and goes with the next question
        return []
    return [code for text in asked if (code := _code(text))]


def _code(text: bytes) -> str | None:
    try:
        return voucher_code(text.decode())
    except ValueError:
        return None


def _write(flags: Sequence[tuple[str, str, int, int, int]]) -> None:
    for start in range(0, len(flags), SLICE):
        some = flags[start : start + SLICE]
        ask_cache(_script("flags"), [_key(flag[0]) for flag in some], [value for flag in some for value in flag[1:]])


def _key(code: str) -> str:
    return valkey.key("gate", code)


@cache
def _script(name: str) -> Script:
    return valkey.cache_store().register_script(load_lua(Path(__file__).parents[1] / "lua" / f"{name}.lua"))
