"""Redemption: exactly to the limit, in order of arrival, once per user, credited in the same transaction."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from common.idempotency import Replayed
from tests.vouchers import (
    AMOUNT,
    balances,
    phone,
    record_of,
    redeem,
    redeemers,
    taken,
    transfers,
    voucher,
    wanted,
    words,
)
from vouchers.errors import AlreadyRedeemed
from vouchers.models import Redemption
from vouchers.redemption.redeeming import redeem_vouchers

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC)


def test_redemption_takes_a_place_and_credits_the_user() -> None:
    voucher()
    redeemed = redeem(1)
    assert (redeemed.voucher_code, redeemed.redeemer, redeemed.amount, redeemed.state) == (
        "SUMMER",
        phone(1),
        AMOUNT,
        "credited",
    )
    assert (taken(), redeemers(), balances()) == (1, [phone(1)], {phone(1): AMOUNT})
    assert transfers() == [("vouchers", phone(1), AMOUNT, "redemption")]


def test_batch_fills_each_voucher_exactly_in_order_of_arrival() -> None:
    voucher("A", 3)
    voucher("B", 2)
    users = range(1, 11)
    outcomes = redeem_vouchers([wanted(user, "AB"[user % 2]) for user in users])
    assert redeemers("A") == [phone(2), phone(4), phone(6)]
    assert redeemers("B") == [phone(1), phone(3)]
    assert words(outcomes) == ["Redeemed"] * 4 + ["VoucherUnavailable", "Redeemed"] + ["VoucherUnavailable"] * 4
    assert (taken("A"), taken("B"), len(balances())) == (3, 2, 5)


def test_places_that_are_left_go_to_the_first_of_the_next_batch() -> None:
    voucher(limit=3)
    redeem_vouchers([wanted(1), wanted(2)])
    assert words(redeem_vouchers([wanted(5), wanted(4)])) == ["Redeemed", "VoucherUnavailable"]
    assert redeemers() == [phone(1), phone(2), phone(5)]


def test_user_gets_one_place_and_later_the_same_redemption_again() -> None:
    voucher()
    first, *others = redeem_vouchers([wanted(1), wanted(1), wanted(2), wanted(1)])
    again = redeem_vouchers([wanted(1)])
    assert words(others) == ["AlreadyRedeemed", "Redeemed", "AlreadyRedeemed"]
    assert [other.first for other in [*others, *again] if isinstance(other, AlreadyRedeemed)] == [first] * 3
    assert (taken(), balances()) == (2, {phone(1): AMOUNT, phone(2): AMOUNT})


def test_repeats_of_a_user_take_no_place_of_another() -> None:
    voucher(limit=2)
    assert words(redeem_vouchers([wanted(1), wanted(1), wanted(2)])) == ["Redeemed", "AlreadyRedeemed", "Redeemed"]


def test_who_has_redeemed_is_told_so_when_the_voucher_is_used_up() -> None:
    voucher(limit=1)
    first = redeem(1)
    (again,) = redeem_vouchers([wanted(1)])
    assert isinstance(again, AlreadyRedeemed)
    assert again.first == first


def test_all_reasons_are_one_answer() -> None:
    voucher("FULL", 1)
    redeem(9, "FULL")
    voucher("EARLY", starts_at=NOW + timedelta(hours=1))
    voucher("LATE", expires_at=NOW - timedelta(seconds=1))
    outcomes = redeem_vouchers([wanted(1, code) for code in ("FULL", "EARLY", "LATE", "NOTHING")])
    assert words(outcomes) == ["VoucherUnavailable"] * 4
    assert len({str(outcome) for outcome in outcomes}) == 1
    assert Redemption.objects.count() == 1


def test_one_user_redeems_many_vouchers_of_a_batch() -> None:
    for code in "ABC":
        voucher(code, amount=Decimal("0.10"))
    assert words(redeem_vouchers([wanted(1, code) for code in "CAB"])) == ["Redeemed"] * 3
    assert balances() == {phone(1): Decimal("0.30")}


# Idempotency-Key


def test_repeat_of_a_request_is_answered_with_its_redemption() -> None:
    voucher()
    (first,) = redeem_vouchers([wanted(1, idempotency=record_of("k"))])
    assert redeem_vouchers([wanted(1, idempotency=record_of("k"))]) == [Replayed(first)]
    assert (taken(), len(transfers())) == (1, 1)


def test_same_key_twice_in_a_batch_is_one_effect() -> None:
    voucher()
    first, second = redeem_vouchers([wanted(1, idempotency=record_of("k"))] * 2)
    assert second == Replayed(first)
    assert taken() == 1


def test_same_key_with_another_content_is_refused() -> None:
    voucher()
    in_batch = redeem_vouchers([wanted(1, idempotency=record_of("k")), wanted(2, idempotency=record_of("k", "other"))])
    later = redeem_vouchers([wanted(2, idempotency=record_of("k", "other"))])
    assert words([*in_batch, *later]) == ["Redeemed", "IdempotencyKeyReused", "IdempotencyKeyReused"]
    assert redeemers() == [phone(1)]


def test_refusal_leaves_the_key_free() -> None:
    assert words(redeem_vouchers([wanted(1, idempotency=record_of("k"))] * 2)) == ["VoucherUnavailable"] * 2
    voucher()
    assert words(redeem_vouchers([wanted(1, idempotency=record_of("k"))])) == ["Redeemed"]
