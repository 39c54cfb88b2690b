"""The admin as a person uses it: the tree, ports that move, prices that come and go."""

import re
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.test import Client

from rates.metrics import DELETED
from rates.models import Port, Price, Region
from rates.prices.rebuilding import prove_rollup
from tests.rates import add, day, port, region

pytestmark = pytest.mark.django_db(transaction=True)

ADMIN = "/admin/rates"


@pytest.fixture
def people(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def text(client: Client, address: str, **query: str) -> str:
    answer = client.get(address, query, follow=True)
    assert answer.status_code == 200, (address, answer.content[-300:])
    return re.sub(r"\s+", " ", answer.content.decode())


def test_regions_are_shown_as_a_tree(people: Client) -> None:
    later, first = region("b"), region("a")
    leaf = region("leaf", region("z_under_a", first))
    region("under_b", later)
    port("CNSGH", leaf)
    page = text(people, f"{ADMIN}/region/")
    found = re.findall(r"padding-left: ([0-9.]+)rem\">(\w+)<", page)
    assert found == [("0.0", "a"), ("1.5", "z_under_a"), ("3.0", "leaf"), ("0.0", "b"), ("1.5", "under_b")]
    assert text(people, f"{ADMIN}/region/{leaf.pk}/change/")


def test_region_is_made_moved_and_not_put_under_itself(people: Client) -> None:
    people.post(f"{ADMIN}/region/add/", {"slug": "top", "name": "Top", "parent": ""})
    top = Region.objects.get(slug="top")
    people.post(f"{ADMIN}/region/add/", {"slug": "leaf", "name": "Leaf", "parent": str(top.pk)})
    leaf = Region.objects.get(slug="leaf", parent=top)
    for parent in (top, leaf):
        fields = {"slug": "top", "name": "Top", "parent": str(parent.pk)}
        answer = people.post(f"{ADMIN}/region/{top.pk}/change/", fields)
        assert "A region cannot be under itself." in answer.content.decode()
    assert Region.objects.get(slug="top").parent is None
    answer = people.post(f"{ADMIN}/region/add/", {"slug": "top", "name": "Again", "parent": ""})
    assert answer.status_code == 200
    answer = people.post(f"{ADMIN}/region/add/", {"slug": "a b", "name": "Blank", "parent": ""})
    assert answer.status_code == 200
    assert Region.objects.count() == 2


def test_circle_that_others_closed_meanwhile_is_told(people: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rates.places.admin.RegionForm.clean_parent", lambda form: form.cleaned_data["parent"])
    top = region("top")
    leaf = region("leaf", top)
    fields = {"slug": "top", "name": "Top", "parent": str(leaf.pk)}
    answer = people.post(f"{ADMIN}/region/{top.pk}/change/", fields, follow=True)
    assert "A region cannot be under itself." in answer.content.decode()


def test_port_moves_with_its_rollups_and_stays_while_it_has_prices(people: Client) -> None:
    here, there = region("here"), region("there")
    start = port("AAAAA", here)
    add(start, start, 0, 1)
    people.post(f"{ADMIN}/port/{start.pk}/change/", {"code": "AAAAA", "name": "A", "region": str(there.pk)})
    assert Port.objects.get().region == there
    assert prove_rollup().holds
    answer = people.post(f"{ADMIN}/port/{start.pk}/delete/", {"post": "yes"}, follow=True)
    assert "A port with prices stays" in answer.content.decode()
    assert "AAAAA" in text(people, f"{ADMIN}/port/", q="AAAAA")
    assert text(people, f"{ADMIN}/region/{there.pk}/delete/")


def test_prices_are_found_by_lane_and_day_added_and_deleted(people: Client) -> None:
    here = region("here")
    start, end = port("AAAAA", here), port("BBBBB", here)
    add(start, end, 0, "12.34")
    fields = {"origin": start.pk, "destination": end.pk, "day": str(day(1)), "price_usd": "56.78"}
    people.post(f"{ADMIN}/price/add/", {name: str(value) for name, value in fields.items()})
    assert list(Price.objects.order_by("id").values_list("price_usd", flat=True)) == [
        Decimal("12.34"),
        Decimal("56.78"),
    ]
    for term, found in (
        ("", "12.34"),
        ("AAAAA", "12.34"),
        ("AAAAA BBBBB", "12.34"),
        (f"AAAAA BBBBB {day(0)}", "12.34"),
        (f"AAAAA BBBBB {day(1)}", "56.78"),
    ):
        assert found in text(people, f"{ADMIN}/price/", q=term)
    for term in ("BBBBB", "aaaaa", "AAAAA BBBBB 2026-02-30", f"AAAAA BBBBB {day(0)} x", f"AAAAA BBBBB {day(2)}"):
        assert "12.34" not in text(people, f"{ADMIN}/price/", q=term)
    first, deleted = Price.objects.get(day=day(0)), DELETED._value.get()
    assert text(people, f"{ADMIN}/price/{first.pk}/change/")
    people.post(f"{ADMIN}/price/{first.pk}/delete/", {"post": "yes"})
    assert Price.objects.count() == 1
    assert prove_rollup().holds
    selected = {"action": "delete_selected", "_selected_action": [str(Price.objects.get().pk)], "post": "yes"}
    people.post(f"{ADMIN}/price/", selected)
    assert not Price.objects.exists()
    assert prove_rollup().holds
    assert DELETED._value.get() == deleted + 2
