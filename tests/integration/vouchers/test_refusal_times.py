"""How long a refusal takes says nothing about which codes exist, on either road of admission control."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import pytest
from pytest_django import Settings

from common.errors import FloodgateError
from common.stores import valkey
from tests.vouchers import voucher, wanted
from vouchers.admission.flags import FLAGS
from vouchers.redemption import screening
from vouchers.redemption.redeeming import redeem_vouchers
from vouchers.redemption.screening import redeem_admitted, refuse_known

pytestmark = pytest.mark.django_db(transaction=True)

REFUSALS = 1_000  # of each kind
KINDS = ("UNKNOWN", "EARLY", "LATE", "USED-UP")


@pytest.fixture(autouse=True)
def one_of_each(settings: Settings) -> None:
    settings.RATE_LIMIT = "off"
    now = datetime.now(UTC)
    voucher("EARLY", starts_at=now + timedelta(hours=1))
    voucher("LATE", expires_at=now - timedelta(hours=1))
    voucher("USED-UP", 300)
    redeem_vouchers([wanted(1_000_000 + user, "USED-UP") for user in range(300)])


def by_flag(code: str, user: int) -> None:
    with pytest.raises(FloodgateError, match="cannot be redeemed"):
        refuse_known(wanted(user, code))


def by_database(code: str, user: int) -> None:
    (refusal,) = redeem_admitted([wanted(user, code)])
    assert str(refusal) == "This voucher cannot be redeemed."


def medians(refuse: Callable[[str, int], None]) -> list[float]:
    """In seconds, by kind. The kinds take turns, so whatever else the machine does meets all of them."""
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for user in range(REFUSALS):
        for kind in KINDS:
            started = time.perf_counter()
            refuse(kind, user)
            times[kind].append(time.perf_counter() - started)
    return [median(found) for found in times.values()]


def test_refusals_from_flags_take_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS:
        by_database(kind, 0)
    for code, flag in FLAGS._codes._young.items():
        FLAGS._codes.set(code, flag._replace(until=flag.until + 60))
    found = medians(by_flag)
    assert max(found) <= 1.2 * min(found), found


def test_refusals_from_the_database_take_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS:
        by_database(kind, 0)

    def forget(*args: Any) -> None:
        pass

    monkeypatch.setattr(screening, "flag_codes", forget)
    FLAGS._codes._young.clear()
    valkey.cache_store().flushdb()
    found = medians(by_database)
    assert max(found) <= 1.2 * min(found), found
