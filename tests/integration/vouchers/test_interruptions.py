"""Whatever ends a redemption between any two of its statements leaves all of it or nothing."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from common.errors import StoreUnavailable
from common.idempotency import IdempotencyRecord
from gateway import models
from gateway.batching.batches import run_batch
from tests.vouchers import balances, phone, record_of, redeem, refusing, taken, transfers, voucher, wanted, words
from vouchers.codes.limits import change_limits
from vouchers.models import LimitChangeRecord, Redemption, Voucher
from vouchers.redemption.redeeming import redeem_vouchers
from vouchers.redemption.reversing import reverse_redemptions
from vouchers.types import LimitChange
from vouchers.wallet.reconciling import reconcile

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def prepared(transactional_db: None) -> None:
    """What a connection prepares once is prepared."""
    with transaction.atomic():
        voucher("WARM")
        redeem(99, "WARM")
        transaction.set_rollback(True)


class Interrupted(Exception):
    """Stands for whatever ends the process."""


def interrupt_at(number: int) -> Callable[..., Any]:
    """A wrapper of statements that lets ``number`` of them through."""
    seen = 0

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen > number:
            raise Interrupted
        return execute(sql, params, many, context)

    return wrapper


def statements(work: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def batch() -> list[Any]:
    return redeem_vouchers([wanted(1, idempotency=record_of("k")), wanted(2), wanted(3, "OTHER")])


@pytest.mark.parametrize("number", range(2))
def test_redemption_that_is_interrupted_changes_nothing(number: int) -> None:
    voucher(limit=2)
    voucher("OTHER")
    with connection.execute_wrapper(interrupt_at(number)), pytest.raises(Interrupted):
        batch()
    assert (Redemption.objects.count(), taken(), balances(), transfers()) == (0, 0, {}, [])
    assert not models.IdempotencyRecord.objects.exists()
    assert words(batch()) == ["Redeemed"] * 3
    assert reconcile() == []


def test_there_is_no_third_message() -> None:
    voucher(limit=2)
    voucher("OTHER")
    with connection.execute_wrapper(interrupt_at(2)):
        assert words(batch()) == ["Redeemed"] * 3


WRITTEN = ["vouchers_redemption", "vouchers_voucher", "vouchers_transfer", "vouchers_profile"]
KEYED = [(table, record_of("k")) for table in ("gateway_idempotencyrecord", *WRITTEN)]


@pytest.mark.parametrize(("table", "key"), [*KEYED, *((table, None) for table in WRITTEN)])
def test_row_that_cannot_be_written_leaves_none_in_any_table(table: str, key: IdempotencyRecord | None) -> None:
    voucher()
    with refusing(table), pytest.raises(IntegrityError):
        redeem_vouchers([wanted(1, idempotency=key)])
    assert (Redemption.objects.count(), taken(), balances(), transfers()) == (0, 0, {}, [])
    assert not models.IdempotencyRecord.objects.exists()


def test_redemption_that_is_interrupted_before_the_commit_of_its_key_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    voucher()

    def interrupt(*args: object) -> None:
        raise Interrupted

    monkeypatch.setattr("vouchers.redemption.redeeming._outcome", interrupt)
    with pytest.raises(Interrupted):
        redeem_vouchers([wanted(1, idempotency=record_of("k"))])
    assert (Redemption.objects.count(), taken(), balances(), transfers()) == (0, 0, {}, [])


def test_connection_lost_before_the_commit_changes_nothing() -> None:
    voucher()

    def lose(execute: Any, *args: Any) -> Any:
        connection.connection.pgconn.finish()
        return execute(*args)

    with connection.execute_wrapper(lose):
        assert isinstance(run_batch(redeem_vouchers, [wanted(1)])[0], StoreUnavailable)
    connection.close()
    assert (taken(), balances()) == (0, {})


def test_lost_answer_is_given_again_with_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    voucher()

    def vanish(outcomes: object) -> None:
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr("vouchers.redemption.redeeming.count_outcomes", vanish)
        assert words(run_batch(redeem_vouchers, [wanted(1, idempotency=record_of("k"))])) == ["StoreUnavailable"]
    assert words(redeem_vouchers([wanted(1, idempotency=record_of("k"))])) == ["Replayed"]
    assert balances() == {phone(1): Decimal(5)}


@pytest.mark.parametrize("number", range(7))
def test_reversal_that_is_interrupted_changes_nothing(number: int) -> None:
    voucher()
    redemption = redeem(1)
    with connection.execute_wrapper(interrupt_at(number)), pytest.raises(Interrupted):
        reverse_redemptions([redemption.id])
    assert (taken(), balances(), len(transfers())) == (1, {phone(1): Decimal(5)}, 1)
    assert reconcile() == []


def test_limit_change_and_its_audit_are_one() -> None:
    voucher()
    for number in range(3):
        with connection.execute_wrapper(interrupt_at(number)), pytest.raises(Interrupted):
            change_limits([LimitChange("SUMMER", 9, "ann")])
        assert (Voucher.objects.get().limit, LimitChangeRecord.objects.count()) == (3, 0)
    change_limits([LimitChange("SUMMER", 9, "ann"), LimitChange("SUMMER", 8, "bob")])
    kept = LimitChangeRecord.objects.order_by("id").values_list("changed_by", "limit_before", "limit_after")
    assert list(kept) == [("ann", 3, 9), ("bob", 9, 8)]
    assert Voucher.objects.get().limit == 8


def test_a_thousand_take_as_many_statements_as_one() -> None:
    for code in ("A", "B"):
        voucher(code, 2_000)
    one = statements(lambda: redeem_vouchers([wanted(1, "A", record_of("k"))]))
    many = [wanted(user, "AB"[user % 2], record_of(f"k{user}")) for user in range(10, 1_010)]
    assert statements(lambda: redeem_vouchers(many)) == one
    first, *others = Redemption.objects.values_list("id", flat=True)
    one = statements(lambda: reverse_redemptions([first]))
    assert statements(lambda: reverse_redemptions(others)) == one
    assert reconcile() == []
