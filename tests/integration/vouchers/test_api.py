"""The HTTP contract of vouchers and wallets; hot endpoints on both roads."""

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from common.errors import StoreUnavailable
from tests.roads import Answer, django, hot_path
from tests.vouchers import balances, phone, redeem, redeemers, taken, voucher
from vouchers import selectors

pytestmark = pytest.mark.django_db(transaction=True)

Ask = Callable[..., Answer]


@pytest.fixture(autouse=True)
def no_limits(settings: Settings) -> None:
    settings.RATE_LIMIT = "off"


@pytest.fixture(params=[hot_path, django], ids=["hot path", "twin"])
def ask(request: pytest.FixtureRequest) -> Ask:
    road: Ask = request.param
    return road


def problem(answer: Answer) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer
    assert answer.json["detail"]
    return answer.status, answer.json["code"]


def fields(answer: Answer) -> list[str]:
    assert problem(answer) == (400, "invalid-input"), answer.json
    return [error["field"] for error in answer.json["errors"]]


def wanted(user: int = 1, code: str = "SUMMER") -> dict[str, str]:
    return {"phone_number": phone(user), "code": code}


REDEEM = "/api/vouchers/redeem"
TERMS: dict[str, Any] = {"code": "SUMMER", "amount": 5, "limit": 300}

# Redeeming


def test_voucher_is_redeemed(ask: Ask) -> None:
    voucher()
    answer = ask("POST", REDEEM, wanted())
    assert answer.status == 200, answer.json
    body = answer.json
    assert UUID(body.pop("id")).version == 7
    assert body.pop("created_at").endswith("Z")
    assert body == {"voucher_code": "SUMMER", "redeemer": phone(1), "amount": 5.0, "state": "credited"}
    assert b'"amount": 5.00,' in answer.body
    assert balances() == {phone(1): Decimal(5)}


def test_second_time_is_409_with_the_first_redemption(ask: Ask) -> None:
    voucher()
    first = ask("POST", REDEEM, wanted()).json
    for _ in range(2):
        again = ask("POST", REDEEM, wanted())
        assert problem(again) == (409, "already-redeemed")
        assert again.json["redemption"] == first


def test_what_cannot_be_redeemed_is_404_each_time(ask: Ask) -> None:
    voucher(limit=1)
    redeem(9)
    answers = [ask("POST", REDEEM, wanted(code=code)) for code in ("SUMMER", "NOTHING") * 2]
    assert {problem(answer) for answer in answers} == {(404, "voucher-unavailable")}
    assert len({answer.body for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers)) for answer in answers}) == 1


def test_repeat_with_a_key_is_the_same_answer_and_one_effect(ask: Ask) -> None:
    voucher(limit=1)
    first, second = (ask("POST", REDEEM, wanted(), Idempotency_Key="k") for _ in range(2))
    assert (second.status, second.body, second.headers["idempotency-replayed"]) == (200, first.body, "true")
    assert problem(ask("POST", REDEEM, wanted(2), Idempotency_Key="k")) == (422, "idempotency-key-reused")
    assert taken() == 1


def test_repeat_with_a_key_is_answered_before_the_gate_refuses(ask: Ask) -> None:
    voucher(limit=1)
    first = ask("POST", REDEEM, wanted(), Idempotency_Key="k")
    assert problem(ask("POST", REDEEM, wanted(2))) == (404, "voucher-unavailable")
    assert problem(ask("POST", REDEEM, wanted(3), Idempotency_Key="other")) == (404, "voucher-unavailable")
    again = ask("POST", REDEEM, wanted(), Idempotency_Key="k")
    assert (again.status, again.body) == (200, first.body)


def test_kept_answer_outlives_the_redemption_and_the_place(ask: Ask) -> None:
    voucher(limit=1)
    first = ask("POST", REDEEM, wanted(), Idempotency_Key="k")
    django("POST", f"/api/vouchers/redemptions/{first.json['id']}/reverse")
    assert ask("POST", REDEEM, wanted(2)).status == 200
    assert problem(ask("POST", REDEEM, wanted(1))) == (404, "voucher-unavailable")
    again = ask("POST", REDEEM, wanted(), Idempotency_Key="k")
    assert (again.status, again.body) == (200, first.body)


def test_kept_answer_comes_before_the_flag_of_the_user(ask: Ask) -> None:
    voucher()
    first = ask("POST", REDEEM, wanted(), Idempotency_Key="k")
    assert problem(ask("POST", REDEEM, wanted())) == (409, "already-redeemed")
    again = ask("POST", REDEEM, wanted(), Idempotency_Key="k")
    assert (again.status, again.body) == (200, first.body)
    assert problem(ask("POST", REDEEM, wanted(3), Idempotency_Key="k")) == (422, "idempotency-key-reused")


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"phone_number": "015112345678", "code": "A"}, ["phone_number"]),
        ({"phone_number": "+0151", "code": "A"}, ["phone_number"]),
        ({"phone_number": "+49 151 1234567", "code": "A"}, ["phone_number"]),
        ({"phone_number": "+" + "1" * 16, "code": "A"}, ["phone_number"]),
        ({"phone_number": 4915112345678, "code": "A"}, ["phone_number"]),
        ({"phone_number": "+4915112345678", "code": "A B"}, ["code"]),
        ({"phone_number": "+4915112345678", "code": "A" * 300}, ["code"]),
        ({"phone_number": "+4915112345678", "code": ""}, ["code"]),
        ({"phone_number": "+4915112345678", "code": "A\0"}, ["code"]),
        ({"phone_number": "+4915112345678", "code": "٣"}, ["code"]),
        ({"phone_number": "+4915112345678", "code": "A", "amount": 5}, ["amount"]),
        ({}, ["phone_number", "code"]),
        ([], ["body"]),
        (b"{", ["body"]),
        (b'{"code": "A", "code": "B"}', ["code"]),
        (b'\xef\xbb\xbf{"code": "A B"}', ["phone_number", "code"]),
    ],
)
def test_bad_request_to_redeem_is_400_and_names_the_field(ask: Ask, body: Any, wrong: list[str]) -> None:
    assert fields(ask("POST", REDEEM, body)) == wrong


# Vouchers


def test_voucher_is_created_and_read(ask: Ask) -> None:
    terms = {"code": "NEW", "amount": 0.1, "limit": 2, "starts_at": "2026-01-01T01:00:00+01:00"}
    made = django("POST", "/api/vouchers", terms)
    assert made.status == 201, made.json
    redeem(1, "NEW")
    found = ask("GET", "/api/vouchers?code=NEW")
    assert (found.status, found.json) == (200, {**made.json, "remaining": 1})
    assert {name: made.json[name] for name in ("code", "amount", "limit", "remaining", "starts_at", "expires_at")} == {
        **terms,
        "remaining": 2,
        "starts_at": "2026-01-01T00:00:00Z",
        "expires_at": None,
    }


@pytest.mark.parametrize("sent", ["2026-01-01T00:00:00.123456789Z", "2026-01-01t02:00:00.1234567+02:00"])
def test_instants_of_go_and_java_are_cut_to_microseconds(sent: str) -> None:
    made = django("POST", "/api/vouchers", TERMS | {"starts_at": sent, "expires_at": sent.replace("2026", "2036")})
    assert made.status == 201, made.json
    assert (made.json["starts_at"], made.json["expires_at"]) == (
        "2026-01-01T00:00:00.123456Z",
        "2036-01-01T00:00:00.123456Z",
    )


def test_voucher_that_is_not_there_is_404(ask: Ask) -> None:
    assert problem(ask("GET", "/api/vouchers?code=NOTHING")) == (404, "voucher-not-found")


@pytest.mark.parametrize("query", ["", "?code=", "?code=A%20B", "?code=A&code=B", "?code=A&x=1", "?code=%FF"])
def test_bad_query_for_a_voucher_is_400(ask: Ask, query: str) -> None:
    assert fields(ask("GET", f"/api/vouchers{query}"))


def test_second_voucher_with_a_code_is_409() -> None:
    voucher(limit=3)
    assert problem(django("POST", "/api/vouchers", TERMS)) == (409, "voucher-exists")
    assert django("GET", "/api/vouchers?code=SUMMER").json["limit"] == 3


def test_largest_amount_stays_exact() -> None:
    answer = django("POST", "/api/vouchers", b'{"code": "A", "limit": 1, "amount": 99999999999999.99}')
    assert b'"amount": 99999999999999.99' in answer.body


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": 0.001}, "amount"),
        ({"amount": "5"}, "amount"),
        ({"amount": 10**14}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": None}, "amount"),
        ({"limit": 0}, "limit"),
        ({"limit": -1}, "limit"),
        ({"limit": 1.0}, "limit"),
        ({"limit": "1"}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": 10**30}, "limit"),
        ({"code": "A B"}, "code"),
        ({"code": "A" * 300}, "code"),
        ({"starts_at": "2026-01-01"}, "starts_at"),
        ({"starts_at": "2026-01-01T00:00:00"}, "starts_at"),
        ({"starts_at": "2026-13-01T00:00:00Z"}, "starts_at"),
        ({"starts_at": "2026-12-31T23:59:60Z"}, "starts_at"),
        ({"starts_at": "0001-01-01T00:00:00+10:00"}, "starts_at"),
        ({"starts_at": 1}, "starts_at"),
        ({"starts_at": "2026-01-02T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"}, "expires_at"),
        ({"starts_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"}, "expires_at"),
        ({"redeemed": 1}, "redeemed"),
    ],
)
def test_bad_voucher_is_400_and_names_the_field(change: dict[str, Any], wrong: str) -> None:
    assert fields(django("POST", "/api/vouchers", TERMS | change)) == [wrong]


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""])
def test_body_is_json_whatever_its_type_says(content_type: str) -> None:
    def send(path: str, body: object) -> Any:
        return Client().post(path, json.dumps(body).encode(), content_type=content_type)

    assert send("/api/vouchers", TERMS).status_code == 201
    assert send(REDEEM, wanted()).status_code == 200
    refused = Client().post("/api/vouchers", b"code=A", content_type=content_type)
    assert (refused.status_code, [error["field"] for error in refused.json()["errors"]]) == (400, ["body"])


def test_examples_of_openapi_are_taken_as_they_stand() -> None:
    paths = django("GET", "/openapi.json").json["paths"]
    for path in ("/api/vouchers", "/api/vouchers/generate", "/api/profiles", "/api/transactions", REDEEM):
        (example,) = paths[path]["post"]["requestBody"]["content"]["application/json"]["examples"].values()
        answer = django("POST", path, example["value"])
        assert answer.status in (200, 201, 202), answer.json


@pytest.mark.parametrize("balance", [b"0", b"-0", b"-0.0", b"-0.00", b"-0e5", b"null", None])
def test_profile_opens_with_nothing_and_zero_has_no_sign(ask: Ask, balance: bytes | None) -> None:
    member = b', "balance": %b' % balance if balance else b""
    opened = django("POST", "/api/profiles", b'\xef\xbb\xbf{"phone_number": "%b"%b}' % (phone(1).encode(), member))
    assert opened.status == 200, opened.json
    assert b'"balance": 0.00}' in opened.body
    assert b'"balance": 0.00}' in ask("GET", f"/api/profiles/{phone(1)}").body


@pytest.mark.parametrize("amount", [b"-0.0", b"-0", b"0.00"])
def test_zero_is_refused_where_it_may_not_be_whatever_its_sign(amount: bytes) -> None:
    moved = django("POST", "/api/transactions", b'{"phone_number": "%b", "amount": %b}' % (phone(1).encode(), amount))
    assert moved.json["errors"] == [{"field": "amount", "detail": "Must not be zero; negative debits."}]


@pytest.mark.parametrize("amount", [b"1e400", b"1e99999999999999999999", b"NaN", b"1e-400", b"5.0000000000000000001"])
def test_strange_number_is_400(amount: bytes) -> None:
    assert fields(django("POST", "/api/vouchers", b'{"code": "A", "limit": 1, "amount": %b}' % amount))


# Reports


def test_report_lists_live_redemptions_page_by_page() -> None:
    voucher(limit=5)
    made = [redeem(user) for user in range(1, 6)]
    django("POST", f"/api/vouchers/redemptions/{made[1].id}/reverse")
    page = django("GET", "/api/vouchers/report?code=SUMMER&limit=3").json
    assert page["length"] == 3
    assert [entry["redeemer"] for entry in page["redemptions"]] == [phone(1), phone(3), phone(4)]
    assert set(page["redemptions"][0]) == {"id", "voucher_code", "redeemer", "created_at"}
    rest = django("GET", f"/api/vouchers/report?code=SUMMER&limit=3&cursor={page['cursor']}").json
    assert ([entry["redeemer"] for entry in rest["redemptions"]], rest["cursor"]) == ([phone(5)], None)
    by_offset = django("GET", "/api/vouchers/report", {"code": "SUMMER", "limit": 3, "offset": 3}).json
    assert by_offset["redemptions"] == rest["redemptions"]


def csv_report(query: str, body: bytes = b"") -> Any:
    return Client().generic("GET", f"/api/vouchers/report{query}", body, headers={"Accept": "text/csv"})


@pytest.mark.parametrize("query", ["?code=SUMMER", ""])
def test_report_as_csv_has_all_live_redemptions(monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    monkeypatch.setattr(selectors, "LINES_AT_ONCE", 2)
    voucher(limit=5)
    voucher("OTHER")
    made = [redeem(user) for user in range(1, 6)]
    redeem(1, "OTHER")
    django("POST", f"/api/vouchers/redemptions/{made[1].id}/reverse")
    answer = csv_report(query, b"" if query else b'{"code": "SUMMER"}')
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.headers["content-disposition"] == 'attachment; filename="redemptions-SUMMER.csv"'
    assert answer.headers["vary"] == "Accept"
    found = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    page = django("GET", "/api/vouchers/report?code=SUMMER")
    assert found == page.json["redemptions"]
    assert (len(found), page.headers["vary"]) == (4, "Accept")


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "text/html", "text/csv;q=0.5, application/json"])
def test_report_is_json_for_all_who_do_not_prefer_csv(accept: str) -> None:
    voucher()
    assert django("GET", "/api/vouchers/report?code=SUMMER", Accept=accept).json["length"] == 0


def test_report_as_csv_of_no_redemption_is_its_header() -> None:
    voucher()
    assert b"".join(csv_report("?code=SUMMER")) == b"id,voucher_code,redeemer,created_at\n"


@pytest.mark.parametrize("place", ["limit=5", "offset=0", f"cursor={UUID(int=1)}"])
def test_report_as_csv_has_no_pages(place: str) -> None:
    refused = csv_report(f"?code=SUMMER&{place}")
    assert (refused.status_code, refused.json()["errors"]) == (
        400,
        [{"field": place.split("=")[0], "detail": "Is for pages of JSON; text/csv has all redemptions at once."}],
    )


def test_report_as_csv_that_takes_too_long_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    voucher()
    slow = selectors._SQL["report"].replace("ORDER BY", "AND pg_sleep(9) IS NULL OR pg_sleep(9) IS NULL ORDER BY")
    monkeypatch.setitem(selectors._SQL, "report", slow)
    redeem(1)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '50ms'")
    with pytest.raises(StoreUnavailable):
        b"".join(csv_report("?code=SUMMER"))
    connection.close()


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_report_of_nothing_is_404(accept: str) -> None:
    answer = django("GET", "/api/vouchers/report?code=NOTHING", Accept=accept)
    assert problem(answer) == (404, "voucher-not-found")


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("code=A&limit=1000000000", "limit"),
        ("code=A&limit=0", "limit"),
        ("code=A&limit=x", "limit"),
        ("code=A&offset=-1", "offset"),
        ("code=A&offset=99999999999999999999", "offset"),
        ("code=A&cursor=1", "cursor"),
        ("limit=1", "code"),
        ("code=A&page=1", "page"),
        (f"code=A&offset=0&cursor={UUID(int=1)}", "offset"),
    ],
)
def test_bad_report_is_400_and_names_the_field(query: str, wrong: str) -> None:
    assert fields(django("GET", f"/api/vouchers/report?{query}")) == [wrong]


def test_cursor_must_be_a_redemption_of_the_voucher() -> None:
    voucher()
    voucher("OTHER")
    reversed_one, other = redeem(1), redeem(1, "OTHER")
    django("POST", f"/api/vouchers/redemptions/{reversed_one.id}/reverse")
    report = "/api/vouchers/report?code=SUMMER&cursor="
    assert django("GET", f"{report}{reversed_one.id}").status == 200
    for wrong in (other.id, UUID(int=1)):
        assert fields(django("GET", f"{report}{wrong}")) == ["cursor"]


# Reversal


@pytest.mark.parametrize(
    ("body", "wrong"), [({"amount": 1}, "amount"), ([], "body"), (b"null", "body"), (b"{", "body")]
)
def test_reversal_takes_no_fields(body: Any, wrong: str) -> None:
    voucher()
    where = f"/api/vouchers/redemptions/{redeem(1).id}/reverse"
    assert fields(django("POST", where, body)) == [wrong]
    assert taken() == 1
    assert django("POST", where, {}).status == 200


def test_reversal_frees_the_place_and_takes_the_amount_back(ask: Ask) -> None:
    voucher(limit=1)
    first = redeem(1)
    assert problem(ask("POST", REDEEM, wanted(2)))[0] == 404
    answer = django("POST", f"/api/vouchers/redemptions/{first.id}/reverse")
    assert (answer.status, answer.json["id"], answer.json["amount"]) == (200, str(first.id), 5)
    assert (taken(), balances()) == (0, {phone(1): Decimal(0)})
    assert ask("POST", REDEEM, wanted(1)).status == 200
    assert redeemers() == [phone(1)]


def test_second_reversal_is_409() -> None:
    voucher()
    where = f"/api/vouchers/redemptions/{redeem(1).id}/reverse"
    assert django("POST", where, Idempotency_Key="k").status == 200
    assert django("POST", where, Idempotency_Key="k").headers["Idempotency-Replayed".lower()] == "true"
    assert problem(django("POST", where)) == (409, "redemption-reversed")


def test_reversal_of_what_was_spent_is_409_and_changes_nothing() -> None:
    voucher()
    first = redeem(1)
    django("POST", "/api/transactions", {"phone_number": phone(1), "amount": -4.99})
    assert problem(django("POST", f"/api/vouchers/redemptions/{first.id}/reverse")) == (409, "redemption-spent")
    assert (taken(), balances()) == (1, {phone(1): Decimal("0.01")})


def test_reversal_of_nothing_is_404_and_of_no_id_400() -> None:
    assert problem(django("POST", f"/api/vouchers/redemptions/{UUID(int=1)}/reverse")) == (404, "redemption-not-found")
    assert fields(django("POST", "/api/vouchers/redemptions/1/reverse")) == ["id"]


# Wallets


def test_profile_is_opened_read_and_moved(ask: Ask) -> None:
    opened = django("POST", "/api/profiles", {"phone_number": phone(1), "balance": 10})
    assert (opened.status, opened.json["balance"]) == (200, 10)
    for amount, balance in ((2.5, 12.5), (-12.5, 0)):
        moved = django("POST", "/api/transactions", {"phone_number": phone(1), "amount": amount})
        assert (moved.status, moved.json["amount"], moved.json["balance"]) == (200, amount, balance)
    found = ask("GET", f"/api/profiles/{phone(1)}")
    assert (found.status, found.json) == (200, {**opened.json, "balance": 0})
    statement = django("GET", f"/api/profiles/{phone(1)}/transactions?limit=2").json
    assert [(line["kind"], line["amount"]) for line in statement["transactions"]] == [
        ("withdrawal", -12.5),
        ("deposit", 2.5),
    ]
    last = django("GET", f"/api/profiles/{phone(1)}/transactions?limit=2&cursor={statement['cursor']}").json
    assert [(line["kind"], line["amount"]) for line in last["transactions"]] == [("opening", 10)]
    assert last["cursor"] is None


def test_profile_that_is_there_is_409() -> None:
    voucher()
    redeem(1)
    assert problem(django("POST", "/api/profiles", {"phone_number": phone(1), "balance": 1})) == (409, "profile-exists")
    assert balances() == {phone(1): Decimal(5)}


def test_profile_that_is_not_there_is_404(ask: Ask) -> None:
    assert problem(ask("GET", f"/api/profiles/{phone(1)}")) == (404, "profile-not-found")
    assert problem(django("GET", f"/api/profiles/{phone(1)}/transactions")) == (404, "profile-not-found")
    moved = django("POST", "/api/transactions", {"phone_number": phone(1), "amount": 1})
    assert problem(moved) == (404, "profile-not-found")


def test_balance_never_goes_below_zero() -> None:
    django("POST", "/api/profiles", {"phone_number": phone(1), "balance": 1})
    moved = django("POST", "/api/transactions", {"phone_number": phone(1), "amount": -1.01})
    assert problem(moved) == (422, "balance-too-low")
    assert balances() == {phone(1): Decimal(1)}


@pytest.mark.parametrize("amount", [0, 0.001, -(10**14), "1", None, True])
def test_bad_movement_is_400(amount: Any) -> None:
    assert fields(django("POST", "/api/transactions", {"phone_number": phone(1), "amount": amount})) == ["amount"]


def test_bad_profile_is_400(ask: Ask) -> None:
    assert fields(ask("GET", "/api/profiles/0151")) == ["phone_number"]
    assert fields(django("POST", "/api/profiles", {"phone_number": phone(1), "balance": -1})) == ["balance"]
