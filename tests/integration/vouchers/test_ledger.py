"""The ledger's rules, which the database keeps whoever writes."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from common.stores.sqlstate import sqlstate
from tests.conftest import TRUNCATE_GUARDS
from tests.vouchers import balances, phone, redeem, transfers, voucher
from vouchers.models import Profile, Transfer, TransferKind, Voucher
from vouchers.types import Movement
from vouchers.wallet.reconciling import reconcile
from vouchers.wallet.wallets import move_money, open_profiles

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def one_redemption() -> None:
    voucher()
    redeem(1)


def add(debit: str, credit: str, amount: str = "1.00", **fields: object) -> None:
    fields = {"kind": TransferKind.DEPOSIT, "created_at": datetime.now(UTC), **fields}
    Transfer.objects.create(debit=debit, credit=credit, amount=amount, **fields)


FORBIDDEN: dict[str, tuple[str, Callable[[], object]]] = {
    "transfer updated": ("23001", lambda: Transfer.objects.update(amount=1)),
    "transfer deleted": ("23001", lambda: Transfer.objects.all()._raw_delete("default")),
    "balance updated": ("23001", lambda: Profile.objects.update(balance=1_000)),
    "phone number updated": ("23001", lambda: Profile.objects.update(phone_number=phone(2))),
    "profile deleted": ("23001", lambda: Profile.objects.all()._raw_delete("default")),
    "profile with money": (
        "23001",
        lambda: Profile.objects.create(phone_number=phone(2), balance=1, created_at=datetime.now(UTC)),
    ),
    "amount zero": ("23514", lambda: add("cash", phone(1), "0")),
    "amount negative": ("23514", lambda: add("cash", phone(1), "-1")),
    "one side": ("23514", lambda: add(phone(1), phone(1))),
    "below zero": ("23514", lambda: add(phone(1), "cash", "5.01")),
    "debit without a profile": ("23503", lambda: add(phone(2), "cash")),
    "second credit of a redemption": (
        "23505",
        lambda: add("vouchers", phone(1), kind="redemption", redemption_id=Transfer.objects.get().redemption_id),
    ),
    "redeemed over the limit": ("23514", lambda: Voucher.objects.update(redeemed=4)),
    "redeemed below zero": ("23514", lambda: Voucher.objects.update(redeemed=-1)),
    "limit below redeemed": ("23514", lambda: Voucher.objects.update(limit=0)),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_database_refuses(name: str) -> None:
    state, work = FORBIDDEN[name]
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        work()
    assert sqlstate(refused.value) == state
    assert (balances(), len(transfers())) == ({phone(1): Decimal(5)}, 1)


@pytest.mark.parametrize(("table", "guard"), TRUNCATE_GUARDS.items())
def test_tables_of_the_ledger_cannot_be_truncated(table: str, guard: str) -> None:
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        connection.cursor().execute(f"ALTER TABLE {table} ENABLE TRIGGER {guard}; TRUNCATE {table} CASCADE")
    assert sqlstate(refused.value) == "23001"


def test_transfer_between_users_moves_both_balances() -> None:
    open_profiles([Movement(phone(2), Decimal(1))])
    add(phone(1), phone(2), "4.50")
    assert balances() == {phone(1): Decimal("0.50"), phone(2): Decimal("5.50")}
    assert reconcile() == []


def test_transfers_of_one_statement_add_up_per_user() -> None:
    open_profiles([Movement(phone(2), Decimal(1)), Movement(phone(2), Decimal(7))])
    move_money([Movement(phone(2), Decimal(n)) for n in (3, -4, 2)])
    assert balances()[phone(2)] == 2
    assert reconcile() == []


# Reconciliation


def as_superuser(statement: str) -> None:
    """Past the triggers, as a bug or a hand could."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET session_replication_role = origin")


DAMAGE = {
    "voucher_counts_its_live_redemptions": "UPDATE vouchers_voucher SET redeemed = 2",
    "redemption_is_credited_once": "DELETE FROM vouchers_transfer",
    "reversal_is_debited_once": "UPDATE vouchers_redemption SET reversed_at = now()",
    "balance_is_the_sum_of_transfers": "UPDATE vouchers_profile SET balance = 6",
    "transfer_belongs_to_a_redemption": f"UPDATE vouchers_transfer SET redemption_id = '{uuid4()}'",
}


@pytest.mark.parametrize("rule", DAMAGE)
def test_reconciliation_names_what_is_wrong(rule: str) -> None:
    assert reconcile() == []
    as_superuser(DAMAGE[rule])
    assert rule in {found.rule for found in reconcile()}


def test_lost_profile_is_found() -> None:
    as_superuser("DELETE FROM vouchers_profile")
    assert {found.rule for found in reconcile()} == {"balance_is_the_sum_of_transfers"}
