"""The admin as a person uses it: looking, changing limits, taking redemptions back."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from tests.vouchers import redeem, taken, voucher
from vouchers.models import Generation, LimitChangeRecord, Profile, Redemption, Transfer, Voucher

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
    assert "Reverse this redemption?" in text(people, f"{where}/reverse/")
    assert "is reversed" in people.post(f"{where}/reverse/", CONFIRMED, follow=True).content.decode()
    assert taken() == 0
    assert "was reversed already" in people.post(f"{where}/reverse/", CONFIRMED, follow=True).content.decode()


def test_staff_without_rights_do_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("guest", is_staff=True))
    voucher()
    where = f"{ADMIN}/voucher/{Voucher.objects.get().pk}"
    assert client.get(f"{ADMIN}/voucher/").status_code == 403
    assert client.post(f"{where}/change-limit/", CONFIRMED | {"limit": "300"}).status_code == 403
    assert Voucher.objects.get().limit == 3
