"""The judge of the chaos run must see each breach, and nothing else, or the run proves nothing."""

import json
import random
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.chaos.connection import Answer
from tests.chaos.vouchers.books import Books, Redemption, Transfer
from tests.chaos.vouchers.crowd import Attempt, Offer, Wish, offers, plan_attempts
from tests.chaos.vouchers.judging import miscredited, not_as_told, not_told, off_limit, redeemed_twice, wrongly_refused
from tests.chaos.vouchers.told import Told

OFFERS = [Offer("A", Decimal("5.00"), 2)]
ANN, BEN, CID = "+491", "+492", "+493"


def redemption(redeemer: str, at: float = 10.0, id: str = "") -> Redemption:
    return Redemption(id or f"id of {redeemer}", "A", redeemer, Decimal("5.00"), at)


def books(*redemptions: Redemption) -> Books:
    """In which all is well."""
    users = Counter(each.redeemer for each in redemptions)
    transfers = [Transfer("vouchers", each.redeemer, each.amount, each.id) for each in redemptions]
    return Books([*redemptions], transfers, {user: 5 * Decimal(count) for user, count in users.items()})


GOOD = books(redemption(ANN), redemption(BEN, 20.0))


def attempt(user: str, key: str = "") -> Attempt:
    return Attempt(0.0, Wish(user, "A"), key)


def success(user: str, id: str = "", **changes: object) -> Answer:
    told = {"id": id or f"id of {user}", "voucher_code": "A", "redeemer": user, "amount": 5.0, "state": "credited"}
    return Answer(200, json.dumps(told | changes).encode())


def problem(status: int, code: str, **members: object) -> Answer:
    return Answer(status, json.dumps({"code": code, **members}).encode())


UNAVAILABLE = problem(404, "voucher-unavailable")


@pytest.fixture
def told() -> Told:
    """Ann and Ben have the places, Cid came too late."""
    told = Told(OFFERS)
    told.note(attempt(ANN), success(ANN), 11.0)
    told.note(attempt(BEN), success(BEN), 21.0)
    told.note(attempt(CID), UNAVAILABLE, 22.0)
    return told


def test_judge_finds_nothing_when_all_is_well(told: Told) -> None:
    assert [off_limit(OFFERS, GOOD), miscredited(OFFERS, GOOD)] == [[], []]
    assert [find(told, GOOD) for find in (redeemed_twice, not_as_told, not_told, wrongly_refused)] == [[]] * 4
    assert told.strange == []


@pytest.mark.parametrize("count", [1, 3])
def test_voucher_above_or_below_its_limit_is_found(count: int) -> None:
    assert off_limit(OFFERS, books(*map(redemption, [ANN, BEN, CID][:count]))) == [f"A has {count} of 2"]


def test_user_with_two_places_is_found(told: Told) -> None:
    assert "has A 2 times" in redeemed_twice(told, books(redemption(ANN), redemption(ANN, id="other")))[0]


def test_user_who_is_told_twice_is_found_unless_a_key_says_it_is_the_same(told: Told) -> None:
    told.note(attempt(BEN, "key"), success(BEN), 30.0)
    assert redeemed_twice(told, GOOD) == []
    told.note(attempt(ANN), success(ANN), 30.0)
    assert "was told 2 times" in redeemed_twice(told, GOOD)[0]


def test_lost_redemption_is_found(told: Told) -> None:
    assert len(not_as_told(told, books(redemption(ANN)))) == 1


def test_another_id_than_was_told_is_found(told: Told) -> None:
    told.note(attempt(ANN), problem(409, "already-redeemed", redemption=success(ANN, "other").content()), 30.0)
    assert len(not_as_told(told, GOOD)) == 1


def test_redemption_that_nobody_was_told_of_is_found(told: Told) -> None:
    assert len(not_told(told, books(*GOOD.redemptions, redemption(CID)))) == 1


def test_attempt_without_an_answer_is_found(told: Told) -> None:
    told.open.append(attempt(CID))
    assert len(not_told(told, GOOD)) == 1


def test_refusal_before_the_last_place_was_taken_is_found(told: Told) -> None:
    told.note(attempt("+494"), UNAVAILABLE, 19.0)
    assert "refused 1.000 s before" in wrongly_refused(told, GOOD)[0]


def test_refusal_of_who_has_a_place_is_found(told: Told) -> None:
    told.note(attempt(ANN), UNAVAILABLE, 30.0)
    assert "refused, has one" in wrongly_refused(told, GOOD)[0]


EXTRA = Transfer("vouchers", ANN, Decimal("5.00"), "id of nothing")


@pytest.mark.parametrize(
    ("doctored", "found"),
    [
        (replace(GOOD, transfers=GOOD.transfers[:1]), "not credited"),
        (replace(GOOD, transfers=[*GOOD.transfers, EXTRA]), "credited for nothing"),
        (replace(GOOD, transfers=[*GOOD.transfers, GOOD.transfers[0]]), "credited for nothing"),
        (replace(GOOD, balances=GOOD.balances | {ANN: Decimal(10)}), "is due 5.00"),
        (replace(GOOD, balances=GOOD.balances | {CID: Decimal(5)}), "is due 0"),
        (replace(GOOD, balances={ANN: Decimal(5)}), "has 0, is due 5.00"),
    ],
)
def test_money_that_does_not_belong_to_a_redemption_is_found(doctored: Books, found: str) -> None:
    (wrong,) = miscredited(OFFERS, doctored)
    assert found in wrong


@pytest.mark.parametrize(
    "answer",
    [
        problem(500, "internal-error"),
        problem(503, "unheard-of"),
        problem(429, "rate-limited"),
        success(BEN),
        success(ANN, amount=6.0),
        success(ANN, state="pending"),
        success(ANN, voucher_code="B"),
    ],
)
def test_answer_that_is_not_in_the_contract_is_found(answer: Answer) -> None:
    told = Told(OFFERS)
    assert told.note(attempt(ANN), answer, 1.0)
    assert len(told.strange) == 1


@pytest.mark.parametrize(
    "answer",
    [problem(503, "store-unavailable"), problem(503, "overloaded"), problem(409, "idempotency-key-in-use")],
)
def test_answer_that_leaves_it_open_is_no_answer(told: Told, answer: Answer) -> None:
    assert not told.note(attempt(CID), answer, 1.0)
    assert told.strange == []


def test_more_users_than_places_ask_for_each_voucher_and_some_ask_twice() -> None:
    wanted = offers(6, 60)
    attempts = plan_attempts(random.Random(1), wanted, 600, 10.0)
    assert attempts == sorted(attempts)
    users = {offer.code: {each.wish for each in attempts if each.wish.code == offer.code} for offer in wanted}
    assert all(len(users[offer.code]) > offer.limit for offer in wanted)
    assert sum(map(len, users.values())) < len(attempts)
    keys = {each.wish: each.idempotency_key for each in attempts}
    assert all(each.idempotency_key == keys[each.wish] for each in attempts)
