"""Many users at once: the limit is never passed and always reached, whatever changes meanwhile."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, connections, transaction

from common.stores.prepared import Prepared
from gateway.batching.batches import run_batch
from tests.vouchers import balances, forget_everything, phone, record_of, redeemers, taken, voucher, wanted, words
from vouchers.codes.limits import change_limits
from vouchers.locks import lock_keys
from vouchers.models import Redemption
from vouchers.redemption import redeeming
from vouchers.redemption.redeeming import redeem_vouchers
from vouchers.redemption.reversing import reverse_redemptions
from vouchers.types import LimitChange
from vouchers.wallet.reconciling import reconcile

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 8


@pytest.fixture(autouse=True)
def no_flags(transactional_db: None) -> None:
    forget_everything()


def side_by_side(*works: Callable[[], Any]) -> list[Any]:
    """Run each on a thread of its own; raises what one raises."""
    start = threading.Barrier(len(works), timeout=20)

    def on_own_connection(work: Callable[[], Any]) -> Any:
        try:
            start.wait()
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result(60) for done in [pool.submit(on_own_connection, work) for work in works]]


def crowd(codes: list[str], users: int, seed: int) -> Callable[[], list[Any]]:
    """Every user asks for every code, in an order of its own, in batches as the gateway runs them."""

    def ask() -> list[Any]:
        items = [wanted(user, code) for user in range(users) for code in codes]
        random.Random(seed).shuffle(items)
        slices = [items[start : start + 64] for start in range(0, len(items), 64)]
        return [outcome for some in slices for outcome in run_batch(redeem_vouchers, some)]

    return ask


def test_crowd_gets_exactly_the_limit_of_each_voucher_and_each_user_once() -> None:
    codes = [f"V{number}" for number in range(5)]
    for code in codes:
        voucher(code, 30)
    answers = side_by_side(*(crowd(codes, 60, seed) for seed in range(THREADS)))
    found = Counter(words(outcome for some in answers for outcome in some))
    assert found["Redeemed"] == 150
    assert set(found) == {"Redeemed", "AlreadyRedeemed", "VoucherUnavailable"}
    for code in codes:
        assert len(set(redeemers(code))) == taken(code) == 30
    assert sum(balances().values()) == Decimal(5) * 150
    assert reconcile() == []


def race_for_the_last_place() -> list[Any]:
    voucher(limit=1)
    return side_by_side(*(lambda user=user: run_batch(redeem_vouchers, [wanted(user)]) for user in range(THREADS)))


def test_last_place_goes_to_one() -> None:
    found = Counter(words(outcome for some in race_for_the_last_place() for outcome in some))
    assert found == {"Redeemed": 1, "VoucherUnavailable": THREADS - 1}


COUNTING = "WHERE voucher.id = more.voucher_id"


def test_control_without_the_lock_it_oversells(monkeypatch: pytest.MonkeyPatch) -> None:
    """And without the count, at whose CHECK the second would fail."""
    uncounted = Prepared("redeem_uncounted", redeeming._SQL["redeem"].replace(COUNTING, f"{COUNTING} AND false"))
    all_read = threading.Barrier(THREADS, timeout=20)

    @transaction.atomic
    def read_before_anybody_commits(parameters: Any) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT 1 FROM vouchers_voucher")
        all_read.wait()
        return uncounted.run(parameters)

    monkeypatch.setattr(redeeming, "REDEEM", SimpleNamespace(run=read_before_anybody_commits))
    found = Counter(words(outcome for some in race_for_the_last_place() for outcome in some))
    assert found == {"Redeemed": THREADS}
    assert reconcile() != []


def test_without_the_lock_the_constraint_still_keeps_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    unlocked = Prepared("redeem_unlocked", redeeming._SQL["redeem"])
    all_arrived = threading.Barrier(THREADS, timeout=20)

    def arrive(parameters: Any) -> list[Any]:
        all_arrived.wait()
        return unlocked.run(parameters)

    monkeypatch.setattr(redeeming, "REDEEM", SimpleNamespace(run=arrive))
    race_for_the_last_place()
    assert taken() == len(redeemers()) == 1


def await_a_waiter() -> None:
    """Until another transaction waits for a lock."""
    deadline = time.monotonic() + 20
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT pg_stat_clear_snapshot(), count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[1]:
                return
    raise AssertionError("Nobody waits.")


def test_waiting_batch_sees_what_the_one_before_it_left() -> None:
    """Ranking in the locking statement would rank by the snapshot from before the wait, and undersell."""
    voucher(limit=4)
    first_has_lock = threading.Event()

    @transaction.atomic
    def first() -> list[Any]:
        outcomes = redeem_vouchers([wanted(1), wanted(2)])
        first_has_lock.set()
        await_a_waiter()
        return list(outcomes)

    def second() -> list[Any]:
        assert first_has_lock.wait(20)
        return list(redeem_vouchers([wanted(user) for user in (3, 1, 4, 5)]))

    one, two = side_by_side(first, second)
    assert words(one + two) == ["Redeemed"] * 3 + ["AlreadyRedeemed", "Redeemed", "VoucherUnavailable"]
    assert redeemers() == [phone(user) for user in (1, 2, 3, 4)]


def test_one_user_in_many_batches_is_credited_once() -> None:
    voucher(limit=100)
    answers = side_by_side(*(lambda: run_batch(redeem_vouchers, [wanted(1)] * 5) for _ in range(THREADS)))
    assert Counter(words(outcome for some in answers for outcome in some))["Redeemed"] == 1
    assert balances() == {phone(1): Decimal(5)}


def test_one_key_in_many_batches_is_one_effect() -> None:
    voucher(limit=100)
    answers = side_by_side(
        *(lambda: redeem_vouchers([wanted(1, idempotency=record_of("k")), wanted(2)]) for _ in range(THREADS))
    )
    found = Counter(words(some[0] for some in answers))
    assert found["Redeemed"] == 1
    assert set(found) <= {"Redeemed", "Replayed", "IdempotencyKeyInUse"}
    assert taken() == 2


def test_running_key_refuses_its_own_item_only() -> None:
    voucher(limit=100)
    is_running, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            lock_keys([record_of("k")])
            is_running.set()
            assert may_end.wait(20)
            cursor.execute("ROLLBACK")

    def ask() -> list[Any]:
        assert is_running.wait(20)
        try:
            return redeem_vouchers(
                [wanted(1, idempotency=record_of("k")), wanted(2, idempotency=record_of("other")), wanted(3)]
            )
        finally:
            may_end.set()

    _, answers = side_by_side(hold, ask)
    assert words(answers) == ["IdempotencyKeyInUse", "Redeemed", "Redeemed"]


def test_limits_and_reversals_meanwhile_leave_everything_consistent() -> None:
    codes = ["A", "B"]
    for code in codes:
        voucher(code, 20)

    def change(seed: int) -> Callable[[], None]:
        def work() -> None:
            dice = random.Random(seed)
            for _ in range(15):
                change_limits([LimitChange(code, dice.randrange(1, 60), "test") for code in codes])
                ids = list(Redemption.objects.filter(reversed_at=None).values_list("id", flat=True)[:10])
                if ids:
                    run_batch(reverse_redemptions, dice.sample(ids, min(3, len(ids))))

        return work

    side_by_side(change(1), change(2), *(crowd(codes, 80, seed) for seed in range(3, 7)))
    change_limits([LimitChange(code, 50, "test") for code in codes])
    redeem_vouchers([wanted(user, code) for user in range(80) for code in codes])
    for code in codes:
        assert taken(code) == len(redeemers(code)) == 50
    assert reconcile() == []


def test_batches_that_name_vouchers_in_opposite_order_do_not_deadlock() -> None:
    codes = [f"V{number}" for number in range(10)]
    for code in codes:
        voucher(code, 1_000)

    def work(start: int, step: int) -> Callable[[], list[Any]]:
        return lambda: [redeem_vouchers([wanted(start + n, code) for code in codes[::step]]) for n in range(20)]

    side_by_side(*(work(100 * number, 1 if number % 2 else -1) for number in range(THREADS)))
    assert Redemption.objects.count() == THREADS * 20 * 10
