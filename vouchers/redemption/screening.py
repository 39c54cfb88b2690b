"""Screens requests to redeem by admission control, so that late-comers never reach the database.

What it knows is what the database said at most a second ago. Whoever repeats an Idempotency-Key is answered from what
is kept, whatever the flags say.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from django.db import Error, connection

from common.errors import FloodgateError
from common.stores.sqlfiles import load_sql
from vouchers.admission.failedattempts import count_failed_attempts, known_throttling, throttled, tries_of
from vouchers.admission.flags import FLAG_SECONDS, FLAGS
from vouchers.admission.redeemers import UNKNOWN, Stamp
from vouchers.admission.shared import Moment, asked_codes, flag_codes, read_shared, read_shared_flags
from vouchers.errors import AlreadyRedeemed, VoucherUnavailable
from vouchers.metrics import count_known_refusal, count_outcomes, count_shared_refusals
from vouchers.redemption.redeeming import Outcome, kept_outcomes, redeem_vouchers
from vouchers.types import Redeem

logger = logging.getLogger(__name__)
_SQL = load_sql(Path(__file__).parents[1] / "sql" / "admission.sql")
LEARNT_AT_ONCE = 2_000  # redeemers, by a batch


def refuse_known(item: Redeem) -> None:
    """Raise the refusal of a request that this process can refuse without asking anybody; for the event loop."""
    if item.idempotency is not None:  # an answer that is kept for it comes first, and the database has that
        return
    if throttling := known_throttling(item):
        count_outcomes([throttling])
        raise throttling
    if refusal := FLAGS.refusal(item.code, item.phone_number):
        count_known_refusal(refusal.code)
        raise refusal


def redeem_admitted(wanted: list[Redeem]) -> list[Outcome]:
    """``redeem_vouchers`` of those that admission control lets through; the others have their refusal in its place.

    Args, Returns, Raises: as ``redeem_vouchers``; RateLimited: this user or address was refused too often.
    Source: docs/vouchers.md.
    """
    tries = tries_of(wanted)
    seen, left = read_shared({item.code for item in wanted}, tries)
    outcomes = _kept_before(wanted, throttled(wanted, tries, left))
    refusals = _flag_refusals({index: item for index, item in enumerate(wanted) if index not in outcomes})
    count_shared_refusals(len(refusals))
    outcomes |= _kept_before(wanted, refusals)
    count_outcomes(outcomes.values())
    rest = [index for index in range(len(wanted)) if index not in outcomes]
    if rest:
        redeemed = redeem_vouchers([wanted[index] for index in rest])
        _flag_if_possible([wanted[index] for index in rest], redeemed, seen)
        outcomes |= dict(zip(rest, redeemed, strict=True))
    count_failed_attempts(item for index, item in enumerate(wanted) if isinstance(outcomes[index], VoucherUnavailable))
    return [outcomes[index] for index in range(len(wanted))]


def _flag_refusals(wanted: Mapping[int, Redeem]) -> dict[int, FloodgateError]:
    found = ((index, FLAGS.refusal(item.code, item.phone_number)) for index, item in wanted.items())
    return {index: refusal for index, refusal in found if refusal}


def _kept_before(wanted: Sequence[Redeem], refusals: Mapping[int, FloodgateError]) -> dict[int, Outcome]:
    """The refusals by their indexes; of a request with an Idempotency-Key, what is kept for it instead."""
    outcomes: dict[int, Outcome] = dict(refusals)
    keyed = [index for index in refusals if wanted[index].idempotency]
    kept = kept_outcomes([wanted[index] for index in keyed]) if keyed else []
    return outcomes | {index: found for index, found in zip(keyed, kept, strict=True) if found}


def _flag_if_possible(asked: Sequence[Redeem], outcomes: Sequence[Outcome], seen: Moment) -> None:
    """The redemptions are committed by now: an error here must not become their answer."""
    try:
        flag_outcomes(asked, outcomes, seen)
    except Error:
        logger.warning("flags_not_set", exc_info=True)


def flag_outcomes(asked: Sequence[Redeem], outcomes: Sequence[Outcome], seen: Moment) -> None:
    """Flag what the database refused after ``seen``."""
    stamps: dict[str, Stamp] = {}
    for item, outcome in zip(asked, outcomes, strict=True):
        if isinstance(outcome, VoucherUnavailable):
            stamps[item.code] = Stamp(outcome.revision, outcome.redeemed)
        elif isinstance(outcome, AlreadyRedeemed):
            FLAGS.refuse_user(outcome.first, outcome.revision, seen.here + FLAG_SECONDS)
    if stamps:
        _learn_redeemers(stamps)
        flag_codes({code: stamp for code, stamp in stamps.items() if (code, stamp) in FLAGS.redeemers}, seen)


def _learn_redeemers(stamps: dict[str, Stamp]) -> None:
    """Read some of those who have places of these vouchers, where this process does not know them all."""
    slices = FLAGS.redeemers.missing(stamps, LEARNT_AT_ONCE)
    if not slices:
        return
    codes, afters, mosts = map(list, zip(*slices, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_SQL["redeemers"], {"codes": codes, "afters": afters, "mosts": mosts})
        for code, after, revision, redeemed, phone_numbers in cursor.fetchall():
            FLAGS.redeemers.add(code, after, Stamp(revision, redeemed), phone_numbers)


def renew_flags() -> int:
    """Read from the database which of the codes that are asked for still cannot be redeemed, and flag them again.

    Returns: how many. Raises: DatabaseError, RedisError: flags end by themselves.
    """
    codes = asked_codes()
    seen = read_shared_flags()
    if not codes:
        return 0
    stamps = dict.fromkeys(codes, UNKNOWN)
    with connection.cursor() as cursor:
        cursor.execute(_SQL["stamps"], {"codes": codes})
        for code, revision, redeemed, can_be_redeemed in cursor.fetchall():
            if can_be_redeemed:
                del stamps[code]
            else:
                stamps[code] = Stamp(revision, redeemed)
    flag_codes(stamps, seen)
    return len(stamps)
