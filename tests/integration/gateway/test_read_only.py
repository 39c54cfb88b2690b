"""PostgreSQL takes no writes, as after a failover: what would write is 503, and reads go on."""

from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from common.stores.guarded import READ_STORE, WRITE_STORE
from promotions.models import Import, Version
from tests.rates import port, region
from tests.roads import django, hot_path
from tests.vouchers import voucher

PHONE = "+4915112345671"
NO_ID = "01a1fdb2-018f-7887-a56a-f4ce7ebb2cbb"
VOUCHER = {"code": "FRESH", "amount": 10, "limit": 2}
PRICE = {
    "date_from": "2026-01-01",
    "date_to": "2026-01-01",
    "origin_code": "CNSGH",
    "destination_code": "NLRTM",
    "price": 1,
}

# By address, with a body that is right; what it answers while nothing can be written.
WRITES: list[tuple[str, Any, int]] = [
    ("/api/vouchers", VOUCHER, 503),
    ("/api/vouchers/generate", {"count": 3, "amount": 10, "limit": 1}, 503),
    ("/api/vouchers/redeem", {"phone_number": PHONE, "code": "SUMMER"}, 503),
    (f"/api/vouchers/redemptions/{NO_ID}/reverse", b"", 503),
    ("/api/profiles", {"phone_number": PHONE, "balance": 5}, 503),
    ("/api/transactions", {"phone_number": PHONE, "amount": 5}, 503),
    ("/rates", PRICE, 503),
    ("/rates/batches", [PRICE], 503),
    ("/imports/1/cancel", b"", 503),
    ("/promotions/versions/1/activate", b"", 503),
    ("/rates/batches/1/cancel", b"", 503),
]


@pytest.fixture
def stocked(transactional_db: None) -> None:
    """What the writes are about."""
    voucher()
    ports = region("everywhere")
    port("CNSGH", ports), port("NLRTM", ports)
    source = Import.objects.create(id=1, source="old.csv", path="/old.csv", bytes_total=1)
    Version.objects.create(number=1, source_import=source, row_count=1, table_count=1, retired_at=timezone.now())


@pytest.fixture(autouse=True)
def no_limits(settings: Settings) -> None:
    settings.RATE_LIMIT = "off"


@pytest.mark.usefixtures("stocked", "read_only_database")
@pytest.mark.parametrize("with_key", [False, True])
@pytest.mark.parametrize(("path", "body", "status"), WRITES, ids=[path for path, *_ in WRITES])
def test_a_write_is_refused_as_unavailable(path: str, body: Any, status: int, with_key: bool) -> None:
    answer = django("POST", path, body, **({"Idempotency_Key": "again"} if with_key else {}))
    assert (answer.status, answer.headers.get("retry-after")) == (status, "1"), answer.body


@pytest.mark.usefixtures("stocked", "read_only_database")
def test_the_hot_path_refuses_a_redemption_and_reads_go_on() -> None:
    refused = hot_path("POST", "/api/vouchers/redeem", {"phone_number": PHONE, "code": "SUMMER"})
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert not WRITE_STORE.is_open
    found = hot_path("GET", "/api/vouchers?code=SUMMER")
    assert (found.status, found.json["remaining"]) == (200, 3)
    assert not READ_STORE.is_open
