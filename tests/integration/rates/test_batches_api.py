"""The HTTP contract of batches of prices."""

import csv
import io
import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from rates.batches.applying import apply_batches
from rates.models import PriceBatch
from tests.pricebatches import expected, make_ports, ndjson, prices, row

pytestmark = pytest.mark.django_db(transaction=True)

NDJSON, CSV, JSON = "application/x-ndjson", "text/csv", "application/json"


@pytest.fixture(autouse=True)
def ports() -> None:
    make_ports()


def post(body: bytes, content_type: str = NDJSON, query: str = "", **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Client().generic("POST", f"/rates/batches{query}", body, content_type=content_type, headers=named)


def problem(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.content
    return answer.status_code, answer.json()["code"]


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def written(rows: list[dict[str, Any]], content_type: str) -> bytes:
    if content_type == CSV:
        return as_csv(rows)
    return ndjson(rows) if content_type == NDJSON else json.dumps(rows).encode()


@pytest.mark.parametrize("content_type", [NDJSON, CSV, JSON, "application/json; charset=utf-8"])
def test_batch_is_accepted_applied_and_reported(content_type: str) -> None:
    rows = [row(n) for n in range(3)]
    answer = post(written(rows, content_type), content_type)
    assert answer.status_code == 202, answer.content
    where = answer.headers["location"]
    queued = Client().get(where).json()
    assert queued == answer.json() | {"eta_seconds": queued["eta_seconds"]}
    assert queued.pop("eta_seconds") >= 1
    assert queued.pop("created_at").endswith("Z")
    assert queued == {
        "id": PriceBatch.objects.get().id,
        "status": "queued",
        "rows_total": 3,
        "rows_applied": 0,
        "rows_rejected": 0,
        "progress": 0.0,
        "deadline": None,
        "deadline_met": None,
        "started_at": None,
        "finished_at": None,
    }
    apply_batches()
    done = Client().get(where).json()
    assert (done["status"], done["rows_applied"], done["progress"]) == ("finished", 3, 1.0)
    first_line = 2 if content_type == CSV else 1
    assert sum(prices().values()) == 3
    assert prices() == {
        (*rest, number + first_line - 1): count for (*rest, number), count in expected(rows).items() if number
    }


def test_errors_are_a_csv_that_says_which_rows_and_why() -> None:
    bad = row(2, price=0) | {"origin_code": 'a "quoted" code'}
    where = post(ndjson([row(1), bad])).headers["location"]
    apply_batches()
    answer = Client().get(f"{where}/errors")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    (found,) = csv.DictReader(io.StringIO(b"".join(answer).decode()))
    assert (found["row"], found["code"], found["raw"]) == ("2", "invalid-input", json.dumps(bad))
    assert "price: " in found["detail"]
    assert "origin_code: " in found["detail"]


def test_same_bytes_of_two_senders_are_two_batches_whose_prices_all_count() -> None:
    answers = [post(ndjson([row(1)]), X_Floodgate_Account=account) for account in ("shop", "", "")]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert len({answer.headers["location"] for answer in answers}) == 3
    apply_batches()
    assert prices().total() == 3


def test_key_is_its_senders_own() -> None:
    def send(account: str) -> Any:
        return post(ndjson([row(1)]), X_Floodgate_Account=account, Idempotency_Key="one")

    answers = [send(account) for account in ("shop", "other", "shop")]
    first, second, again = (answer.headers["location"] for answer in answers)
    assert first == again != second
    assert PriceBatch.objects.count() == 2


def test_process_of_the_release_before_can_still_write_its_column() -> None:
    """It runs beside the migration until it is replaced."""
    post(ndjson([row(1)]))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rates_pricebatch SET content_hash = 'x' WHERE content_hash IS NULL")
        assert cursor.rowcount == 1


def test_idempotency_key_answers_as_at_first_and_refuses_another_content() -> None:
    first = post(ndjson([row(1)]), idempotency_key="one")
    apply_batches()
    again = post(ndjson([row(1)]), idempotency_key="one")
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert problem(post(ndjson([row(2)]), idempotency_key="one")) == (422, "idempotency-key-reused")
    assert PriceBatch.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "content_type", "wanted"),
    [
        (b"", JSON, (400, "invalid-input")),
        (b"[]", JSON, (400, "invalid-input")),
        (b"{}", JSON, (400, "invalid-input")),
        (b"\n", NDJSON, (400, "invalid-input")),
        (b"a,b\n1,2\n", CSV, (400, "invalid-input")),
        (b"x", "application/xml", (415, "unsupported-media-type")),
        (b"x", "", (415, "unsupported-media-type")),
        (b"x=1", "application/x-www-form-urlencoded", (415, "unsupported-media-type")),
    ],
)
def test_body_that_is_no_batch_is_refused_and_nothing_is_kept(
    body: bytes, content_type: str, wanted: tuple[int, str]
) -> None:
    assert problem(post(body, content_type)) == wanted
    assert not PriceBatch.objects.exists()


def test_each_limit_is_413(settings: Settings) -> None:
    settings.BATCH_MAX_BYTES, settings.BATCH_MAX_ROWS, settings.BATCH_MAX_PRICES = 1_000, 5, 50
    assert problem(post(b" " * 1_001)) == (413, "body-too-large")
    assert problem(post(ndjson([{}] * 7))) == (413, "batch-too-large")
    assert problem(post(ndjson([row(date_to="2026-03-31")]))) == (413, "batch-too-large")


def test_deadline_is_an_instant_that_can_be_met() -> None:
    soon, late = (f"{timezone.now() + timedelta(seconds=s):%Y-%m-%dT%H:%M:%SZ}" for s in (-5, 60))
    refused = post(ndjson([row(1)]), query=f"?deadline={soon}")
    assert problem(refused) == (422, "deadline-unreachable")
    assert refused.json()["expected_at"] > soon
    for wrong in ("tomorrow", "2026-11-21", "2026-11-21T08:00:00", ""):
        answer = post(ndjson([row(1)]), query=f"?deadline={wrong}")
        assert problem(answer) == (400, "invalid-input")
        assert answer.json()["errors"][0]["field"] == "deadline"
    assert problem(post(ndjson([row(1)]), query="?dedline=x")) == (400, "invalid-input")
    for text in (late.replace("Z", "+00:00"), late.replace("Z", ".0000001Z").lower()):
        assert post(ndjson([row(1)]), query=f"?deadline={quote(text)}").json()["deadline"] == late
    lost = post(ndjson([row(1)]), query=f"?deadline={late.replace('Z', '+00:00')}")
    assert "+ is sent as %2B" in lost.json()["errors"][0]["detail"]


def test_batch_is_cancelled_once() -> None:
    where = post(ndjson([row(1)])).headers["location"]
    answer = Client().post(f"{where}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert problem(Client().post(f"{where}/cancel")) == (409, "batch-ended")


@pytest.mark.parametrize("number", ["1", "9" * 30])
def test_unknown_batch_is_404(number: str) -> None:
    for answer in (
        Client().get(f"/rates/batches/{number}"),
        Client().get(f"/rates/batches/{number}/errors"),
        Client().post(f"/rates/batches/{number}/cancel"),
    ):
        assert problem(answer) == (404, "batch-not-found")
