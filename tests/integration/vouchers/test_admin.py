"""The admin as a person uses it: looking, changing limits, taking redemptions back."""

import re
from urllib.parse import quote

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.vouchers import phone, redeem, taken, voucher
from vouchers.models import Generation, LimitChangeRecord, Profile, Redemption, Transfer, Voucher, WalletOrder

pytestmark = pytest.mark.django_db

ADMIN = "/admin/vouchers"
CONFIRMED = {"_form_submitted": "True"}


@pytest.fixture
def people(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.content[-300:])
    return re.sub(r"\s+", " ", answer.content.decode())


def test_every_list_and_row_is_shown(people: Client) -> None:
    voucher()
    redeem(1)
    Generation.objects.create(count=5, amount=1, limit=1)
    for model in (Voucher, Redemption, Profile, Transfer, Generation):
        name = model._meta.model_name
        row = model._default_manager.get()
        assert str(row.pk) in text(people, f"{ADMIN}/{name}/")
        assert text(people, f"{ADMIN}/{name}/{row.pk}/change/")
        assert people.post(f"{ADMIN}/{name}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert people.get(f"{ADMIN}/{name}/add/").status_code == 403
        assert f"{ADMIN}/{name}/" in text(people, "/admin/")


def test_generation_is_cancelled_after_a_question(people: Client) -> None:
    page = f"{ADMIN}/generation/{Generation.objects.create(count=5, amount=1, limit=1).pk}/cancel/"
    assert "Stop making these vouchers?" in text(people, page)
    answer = people.post(page, CONFIRMED, follow=True)
    assert "is cancelled; 0 vouchers exist" in answer.content.decode()
    assert Generation.objects.get().status == "cancelled"
    assert LogEntry.objects.get().get_change_message() == "Cancelled."
    again = people.post(page, CONFIRMED, follow=True)
    assert "there is nothing to cancel" in again.content.decode()


def test_rows_are_found_by_whole_values(people: Client) -> None:
    voucher()
    redemption = redeem(1)
    found = {
        "voucher": "SUMMER",
        "redemption": "SUMMER",
        "profile": redemption.redeemer,
        "transfer": str(redemption.id),
    }
    for name, term in found.items():
        page = f"{ADMIN}/{name}/"
        assert "/change/" in people.get(page, {"q": term}).content.decode()
        assert "/change/" not in people.get(page, {"q": term[:-1]}).content.decode()


def test_transfers_and_redemptions_of_a_user_are_found_by_indexes(people: Client) -> None:
    voucher()
    first, _ = redeem(1), redeem(12)
    where = f"{ADMIN}/profile/{Profile.objects.get(phone_number=first.redeemer).pk}/change/"
    assert f"{ADMIN}/transfer/?q={quote(first.redeemer)}" in text(people, where)
    for name in ("transfer", "redemption"):
        with CaptureQueriesContext(connection) as seen:
            page = text(people, f"{ADMIN}/{name}/?q={quote(first.redeemer)}")
        assert len(set(re.findall(rf"{ADMIN}/{name}/([^/]+)/change/", page))) == 1
        looked_up = [query["sql"] for query in seen if '"vouchers_transfer"."credit" = ' in query["sql"]]
        assert "transfers_in" in plan(looked_up[0])
    for unknown in ("+49", phone(2), "+" + "9" * 99):
        assert people.get(f"{ADMIN}/redemption/", {"q": unknown}).status_code == 200


def plan(query: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query}")
        return str(cursor.fetchall())


def test_limit_that_stays_is_no_change(people: Client) -> None:
    made = voucher(limit=3)
    where = f"{ADMIN}/voucher/{made.id}/change-limit/"
    page = people.post(where, CONFIRMED | {"limit": "3"}, follow=True).content.decode()
    assert "was 3 already" in page
    assert not LimitChangeRecord.objects.exists()
    assert not LogEntry.objects.exists()
    assert Voucher.objects.get().revision == 1


def test_limit_is_changed_with_a_name(people: Client) -> None:
    voucher(limit=3)
    redeem(1)
    redeem(2)
    where = f"{ADMIN}/voucher/{Voucher.objects.get().pk}"
    assert "Your name is kept" in text(people, f"{where}/change-limit/")
    answer = people.post(f"{where}/change-limit/", CONFIRMED | {"limit": "300"}, headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == f"{where}/change/"
    assert Voucher.objects.get().limit == 300
    (kept,) = LimitChangeRecord.objects.all()
    assert (kept.changed_by, kept.limit_before, kept.limit_after) == ("ada", 3, 300)
    assert LogEntry.objects.get().get_change_message() == "Changed the limit from 3 to 300."
    assert "ada" in text(people, f"{where}/change/")
    refused = people.post(f"{where}/change-limit/", CONFIRMED | {"limit": "1"}, follow=True)
    assert "2 users have redeemed this voucher" in refused.content.decode()
    for wrong in ("0", "-1", "x", "99999999999999"):
        people.post(f"{where}/change-limit/", CONFIRMED | {"limit": wrong})
    assert (Voucher.objects.get().limit, LimitChangeRecord.objects.count()) == (300, 1)


def test_redemption_is_taken_back_once(people: Client) -> None:
    voucher()
    where = f"{ADMIN}/redemption/{redeem(1).id}"
    assert "Reverse this redemption?" in text(people, f"{where}/take-back/")
    assert "is reversed" in people.post(f"{where}/take-back/", CONFIRMED, follow=True).content.decode()
    assert taken() == 0
    assert "was reversed already" in people.post(f"{where}/take-back/", CONFIRMED, follow=True).content.decode()


MODELS = (Voucher, Redemption, Profile, Transfer, WalletOrder, Generation)
NO_IDS = (
    "abc",
    "0",
    "-1",
    "1.5",
    "9" * 25,
    "9" * 5_000,
    "00000000-0000-0000-0000-000000000000",
    "a/b",
    "a\x00b",
    "_00",
    "é",
)


@pytest.mark.parametrize("model", MODELS)
def test_row_that_is_not_there_is_404(people: Client, model: type[Model]) -> None:
    pages = {Voucher: ["change-limit"], Redemption: ["take-back"]}.get(model, [])
    for wrong in NO_IDS:
        for page in ("change", "history", *pages):
            where = f"{ADMIN}/{model._meta.model_name}/{quote(wrong)}/{page}/"
            assert people.get(where).status_code == 404, where
            assert people.post(where, CONFIRMED | {"limit": "5"}).status_code == 404, where


@pytest.mark.parametrize("model", MODELS)
def test_addresses_of_lists_may_hold_anything(people: Client, model: type[Model]) -> None:
    where = f"{ADMIN}/{model._meta.model_name}/"
    columns = [field.name for field in model._meta.get_fields()]
    lookups = [f"{name}{how}" for name in columns for how in ("", "__exact", "__regex", "__range", "__in", "__isnull")]
    queries = [f"{lookup}={value}" for lookup in lookups for value in ("%00", "(", "abc")]
    others = [
        f"{name}={value}" for name in ("q", "p", "o", "e", "_to_field") for value in ("%00", "abc", "9" * 30, "-1")
    ]
    for query in queries + others:
        assert people.get(f"{where}?{query}").status_code in (200, 302, 400), query


def test_orders_are_filtered_by_state_and_no_list_by_other_columns(people: Client) -> None:
    assert people.get(f"{ADMIN}/walletorder/?state__exact=waiting").status_code == 200
    assert people.get(f"{ADMIN}/walletorder/?last_error=x").status_code == 400
    assert people.get(f"{ADMIN}/redemption/?redeemer__contains=1").status_code == 400


def test_staff_without_rights_do_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("guest", is_staff=True))
    voucher()
    where = f"{ADMIN}/voucher/{Voucher.objects.get().pk}"
    assert client.get(f"{ADMIN}/voucher/").status_code == 403
    assert client.post(f"{where}/change-limit/", CONFIRMED | {"limit": "300"}).status_code == 403
    assert Voucher.objects.get().limit == 3
