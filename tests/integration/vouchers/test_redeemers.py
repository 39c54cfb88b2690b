"""Who has places, as a process learns it: a slice per batch, within bounds, exactly."""

import time
from collections.abc import Callable, Iterable
from random import Random
from threading import Thread

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from tests.vouchers import phone, voucher, wanted, words
from vouchers.admission import redeemers
from vouchers.admission.flags import FLAGS
from vouchers.admission.redeemers import SET_WEIGHT, Redeemers, Stamp
from vouchers.models import Redemption, Voucher
from vouchers.redemption import screening
from vouchers.redemption.redeeming import redeem_vouchers
from vouchers.redemption.reversing import reverse_redemptions
from vouchers.redemption.screening import redeem_admitted

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_limits(settings: Settings) -> None:
    settings.RATE_LIMIT = "off"


def learnt(kept: Redeemers, code: str, users: Iterable[int], revision: int = 1) -> Stamp:
    """As batches would: a slice of three at a time."""
    phone_numbers = sorted(map(phone, users))
    stamp = Stamp(revision, len(phone_numbers))
    while slices := kept.missing({code: stamp}, 3):
        (part,) = slices
        after = [number for number in phone_numbers if number > part.after]
        kept.add(code, part.after, stamp, after[: part.most])
    return stamp


# Batches


def used_up(limit: int) -> Stamp:
    voucher(limit=limit)
    redeem_vouchers([wanted(user) for user in range(limit)])
    return Stamp(*Voucher.objects.values_list("revision", "redeemed").get())


def refused(user: int) -> str:
    return words(redeem_admitted([wanted(user)]))[0]


def statements(user: int) -> int:
    with CaptureQueriesContext(connection) as captured:
        refused(user)
    return len(captured)


def test_batch_learns_a_slice_and_the_gate_closes_with_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "LEARNT_AT_ONCE", 10)
    stamp = used_up(25)
    for known in (10, 20, 25):
        assert FLAGS.refusal("SUMMER", phone(100)) is None
        assert refused(100) == "VoucherUnavailable"
        assert len(FLAGS.redeemers._sets["SUMMER"].numbers) == known
    assert ("SUMMER", stamp) in FLAGS.redeemers
    assert statements(101) == 0
    assert {refused(user) for user in range(25)} == {"AlreadyRedeemed"}


def test_batch_reads_no_more_users_of_many_vouchers_than_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "LEARNT_AT_ONCE", 10)
    sizes = {"LARGE": 12, "MIDDLE": 7, "SMALL": 2}
    for code, limit in sizes.items():
        voucher(code, limit)
        redeem_vouchers([wanted(user, code) for user in range(limit)])
    known: list[dict[str, int]] = []
    for _ in range(3):
        redeem_admitted([wanted(100, code) for code in sizes])
        known.append({code: len(FLAGS.redeemers._sets[code].numbers) for code in sizes})
    assert known[0] == {"SMALL": 2, "MIDDLE": 7, "LARGE": 1}
    assert known[1] == {"SMALL": 2, "MIDDLE": 7, "LARGE": 11}
    assert known[2] == sizes


def test_change_while_a_set_is_learnt_starts_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "LEARNT_AT_ONCE", 10)
    used_up(15)
    refused(100)
    first = Redemption.objects.get(redeemer=phone(0))
    reverse_redemptions([first.id])
    assert refused(200) == "Redeemed"
    while FLAGS.refusal("SUMMER", phone(100)) is None:
        assert refused(100) == "VoucherUnavailable"
    assert refused(200) == "AlreadyRedeemed"
    assert refused(0) == "VoucherUnavailable"


def test_slice_is_read_from_the_index_in_its_order() -> None:
    used_up(50)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + screening._SQL["redeemers"], {"codes": ["SUMMER"], "afters": [""], "mosts": [10]})
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "one_live_redemption_per_user" in plan
    assert "Sort" not in plan


# Sets


def test_users_are_known_exactly() -> None:
    numbers = ["+1234567", "+12345670", "+123456700", "+123456701", "+999999999999999", "+1999999"]
    others = ["+12345671", "+1234568", "+1234566", "+123456700000000", "+99999999999999", "+19999990"]
    kept, stamp = Redeemers(), Stamp(1, len(numbers))
    (part,) = kept.missing({"A": stamp}, 100)
    kept.add("A", part.after, stamp, sorted(numbers))
    assert all(kept.may_have("A", stamp, number) for number in numbers)
    assert not any(kept.may_have("A", stamp, number) for number in others)


def test_numbers_sort_as_their_text() -> None:
    some = Random(1)
    texts = ["+" + str(some.randint(1, 9)) + str(some.random())[2 : some.randint(8, 16)] for _ in range(2_000)]
    texts += [text + "0" for text in texts if len(text) < 16]
    assert sorted(texts) == sorted(texts, key=redeemers._number)


def test_part_of_a_set_refuses_nobody() -> None:
    kept, stamp = Redeemers(), Stamp(1, 2)
    (part,) = kept.missing({"A": stamp}, 1)
    kept.add("A", part.after, stamp, [phone(1)])
    assert ("A", stamp) not in kept
    assert kept.may_have("A", stamp, phone(9))


def test_slice_that_another_thread_has_kept_is_not_kept_twice() -> None:
    kept, stamp = Redeemers(), Stamp(1, 4)
    first, second = (kept.missing({"A": stamp}, 2) for _ in range(2))
    assert first == second
    for _ in range(2):
        kept.add("A", "", stamp, [phone(1), phone(2)])
    assert len(kept._sets["A"].numbers) == 2
    kept.add("A", phone(2), Stamp(1, 5), [phone(3)])
    assert len(kept._sets["A"].numbers) == 2


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redeemers, "REDEEMERS_KEPT", 3 * (SET_WEIGHT + 10))


Forward = Callable[[float], None]


@pytest.fixture
def forward(monkeypatch: pytest.MonkeyPatch) -> Forward:
    """Sets the clock this many seconds after the test's beginning."""
    began = time.monotonic()
    return lambda seconds: monkeypatch.setattr(time, "monotonic", lambda: began + seconds)


def test_set_that_was_used_longest_ago_makes_room(small: None, forward: Forward) -> None:
    kept = Redeemers()
    forward(0)
    for code in "ABC":
        stamp = learnt(kept, code, range(10))
    forward(redeemers.IN_USE_SECONDS / 2)
    assert not kept.may_have("A", stamp, phone(99))
    forward(redeemers.IN_USE_SECONDS + 1)
    learnt(kept, "D", range(10))
    learnt(kept, "E", range(10))
    assert [(code, stamp) in kept for code in "ABCDE"] == [True, False, False, True, True]
    assert kept.missing({"F": stamp}, 100) == []


def test_sets_in_use_stay_and_are_not_read_over_and_over(small: None) -> None:
    kept = Redeemers()
    for code in "ABC":
        stamp = learnt(kept, code, range(10))
    assert kept.missing({"D": stamp}, 100) == []
    assert [(code, stamp) in kept for code in "ABCD"] == [True] * 3 + [False]
    assert kept.may_have("D", stamp, phone(99))


def test_set_that_can_never_fit_drops_no_other(small: None, forward: Forward) -> None:
    kept = Redeemers()
    stamp = learnt(kept, "A", range(10))
    forward(redeemers.IN_USE_SECONDS + 1)
    assert kept.missing({"LARGE": Stamp(1, 1_000)}, 100) == []
    assert ("A", stamp) in kept


def test_sets_of_one_user_take_room_too(small: None) -> None:
    kept = Redeemers()
    for number in range(100):
        learnt(kept, str(number), [1])
    assert len(kept._sets) == 3


def test_older_stamp_does_not_replace_a_later_one() -> None:
    kept = Redeemers()
    later = learnt(kept, "A", range(5), revision=2)
    assert kept.missing({"A": Stamp(1, 5)}, 100) == []
    assert ("A", later) in kept


def test_threads_share_the_sets(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redeemers, "IN_USE_SECONDS", -1.0)  # so that each drops what others use
    kept, wrong = Redeemers(), list[str]()

    def work(number: int) -> None:
        some = Random(number)
        try:
            for _ in range(2_000):
                code = some.choice("ABCDEF")
                stamp = learnt(kept, code, range(some.randint(8, 10)), revision=some.randint(1, 9))
                assert kept.may_have(code, stamp, phone(1))
        except Exception as error:
            wrong.append(repr(error))

    threads = [Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert kept._weight == sum(found.weight for found in kept._sets.values()) <= redeemers.REDEEMERS_KEPT
