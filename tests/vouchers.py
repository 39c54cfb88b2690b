"""What tests about vouchers share: vouchers and users with known names, and whole tables to compare."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from common.idempotency import IdempotencyRecord
from common.recent import Recent
from common.stores import valkey
from common.stores.guarded import CACHE, WRITE_STORE
from vouchers.admission import failedattempts
from vouchers.admission.flags import FLAGS
from vouchers.codes.creating import create_vouchers
from vouchers.models import Profile, Redemption, Transfer, Voucher
from vouchers.redemption.redeeming import redeem_vouchers
from vouchers.types import Redeem, Redeemed, VoucherState, VoucherTerms

AMOUNT = Decimal("5.00")


def phone(number: int) -> str:
    return f"+49{number:010d}"


def voucher(code: str = "SUMMER", limit: int = 3, amount: Decimal = AMOUNT, **window: datetime) -> VoucherState:
    (made,) = create_vouchers([VoucherTerms(code, amount, limit, **window)])
    assert isinstance(made, VoucherState)
    return made


def wanted(user: int, code: str = "SUMMER", idempotency: IdempotencyRecord | None = None) -> Redeem:
    return Redeem(code, phone(user), idempotency)


def record_of(key: str, content: str = "content") -> IdempotencyRecord:
    return IdempotencyRecord(key.encode().ljust(16, b"."), content.encode().ljust(16, b"."))


def redeem(user: int, code: str = "SUMMER") -> Redeemed:
    (outcome,) = redeem_vouchers([wanted(user, code)])
    assert isinstance(outcome, Redeemed), outcome
    return outcome


def words(outcomes: Iterable[Any]) -> list[str]:
    """Each outcome as a word: its type's name."""
    return [type(outcome).__name__ for outcome in outcomes]


def redeemers(code: str = "SUMMER") -> list[str]:
    """Who holds a place, in the order in which the places were given."""
    rows = Redemption.objects.filter(voucher__code=code, reversed_at=None).order_by("id")
    return list(rows.values_list("redeemer", flat=True))


def balances() -> dict[str, Decimal]:
    return dict(Profile.objects.values_list("phone_number", "balance"))


def transfers() -> list[tuple[str, str, Decimal, str]]:
    return list(Transfer.objects.order_by("id").values_list("debit", "credit", "amount", "kind"))


def taken(code: str = "SUMMER") -> int:
    """Places that the voucher counts as taken."""
    return Voucher.objects.get(code=code).redeemed


@contextmanager
def refusing(table: str) -> Iterator[None]:
    """Whatever writes a row of this table fails with SQLSTATE 23001."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TRIGGER refusing BEFORE INSERT OR UPDATE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION vouchers_refuse('for a test')"
        )
        try:
            yield
        finally:
            cursor.execute(f"DROP TRIGGER refusing ON {table}")


def forget_everything() -> None:
    valkey.cache_store().flushdb()
    CACHE.is_open = WRITE_STORE.is_open = False
    forget_local_flags()
    failedattempts._throttled_until = Recent(failedattempts.SUBJECTS_KEPT)
    failedattempts._counted_until = Recent(failedattempts.FAILED_ATTEMPTS_KEPT)


def forget_local_flags() -> None:
    """As a process that has just started."""
    FLAGS.__init__()  # type: ignore[misc]
