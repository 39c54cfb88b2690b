"""Whatever stands in an address, a form or a cookie of the admin: the answer is never a 500."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from gateway.models import ApiKey
from rates.models import Port, Region
from tests.vouchers import voucher
from vouchers.models import Voucher

# Some pages run a batch, which gives connections back.
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])

ID = 900
HOSTILE = ("a\x00b", "abc", "-1", "9" * 30, "9" * 5_000, "\ud800", "%", "")
# What pages of each kind read of their query; those of forms also take first values for the fields of their model.
READ_BY = {
    "changelist": ("all", "_to_field", "_popup", "_facets"),  # test_admin_addresses.py has the others
    "add": ("_to_field", "_popup", "_changelist_filters", "_source_model"),
    "change": ("_to_field", "_popup", "_changelist_filters"),
    "delete": ("_to_field", "_popup", "_changelist_filters"),
    "history": ("p",),
    "autocomplete": ("term", "page", "app_label", "model_name", "field_name"),
    "search": ("s", "page", "extended"),
    "find": ("id",),
    "chart": ("origin", "destination", "date_from", "date_to", "min_prices"),
    "login": ("next",),
    "": ("next", "page"),
}
BESIDE = {
    "autocomplete": {"app_label": "rates", "model_name": "port", "field_name": "region", "term": "x"},
    "search": {"s": "x"},
    "chart": {"origin": "CNSGH", "destination": "PLGDN"},
}


@pytest.fixture(autouse=True)
def rows() -> None:
    region = Region.objects.create(pk=ID, slug="baltic", name="Baltic")
    Port.objects.create(pk=ID, code="PLGDN", name="Gdansk", region=region)
    Group.objects.create(pk=ID, name="support")
    ApiKey.objects.create(pk=ID, name="shop", digest=b"1", prefix="fg_")
    Permission.objects.all().delete()  # forms of users and groups show them all, which takes seconds


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def people(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada", pk=ID))
    client.raise_request_exception = False
    return client


def patterns(of: Any, prefix: str = "/") -> Iterator[tuple[str, str]]:
    for entry in of.url_patterns:
        where = prefix + str(entry.pattern).removeprefix("^").removesuffix("$").removesuffix("\\Z")
        if isinstance(entry, URLResolver):
            yield from patterns(entry, where)
        elif isinstance(entry, URLPattern):
            kind = (entry.name or "").rpartition("_")[2].rpartition("-")[2]
            yield kind if kind in READ_BY else "", where


def pages() -> dict[str, list[str]]:
    """Addresses of all pages of the admin by kind, with places for ids."""
    found: dict[str, list[str]] = {}
    for kind, where in patterns(get_resolver()):
        if where.startswith("/admin/") and "logout" not in where:
            found.setdefault(kind, []).append(where)
    return found


def filled(page: str, value: str = f"{ID}") -> str:
    return re.sub(r"<(?:\w+:)?\w+>|\(\?P<\w+>[^)]*\)", lambda _: quote(value, errors="replace"), page)


def with_query(where: str, query: dict[str, str]) -> str:
    return f"{where}?{urlencode(query, errors='surrogatepass')}"


def fields_of(page: str) -> list[str]:
    label, _, rest = page.removeprefix("/admin/").partition("/")
    for model in admin.site._registry:
        if (model._meta.app_label, model._meta.model_name) == (label, rest.partition("/")[0]):
            return [field.name for field in model._meta.get_fields()]
    return []


@pytest.mark.parametrize("kind", READ_BY)
def test_query_of_a_page_may_hold_anything(people: Client, kind: str) -> None:
    failed = []
    for number, page in enumerate(pages()[kind]):
        for name in [*READ_BY[kind], *(fields_of(page) if kind == "add" else ())]:
            # Pages of a kind are much alike: where there are many, each meets half of the values.
            for hostile in HOSTILE if len(pages()[kind]) < 10 else HOSTILE[number % 2 :: 2]:
                address = with_query(filled(page), BESIDE.get(kind, {}) | {name: hostile})
                if people.get(address).status_code >= 500:
                    failed.append(address[:200])
    assert failed == []


@pytest.mark.parametrize("hostile", [*HOSTILE[:5], "00000000-0000-0000-0000-000000000000", "a/b", "_00", "٣"])
def test_id_in_an_address_may_be_anything(people: Client, hostile: str) -> None:
    wrong = [
        (where, answer.status_code)
        for of_kind in pages().values()
        for page in of_kind
        if "<path:" in page or "<int:" in page
        for where in [filled(page, hostile)]
        for answer in [people.get(where)]
        if answer.status_code not in (302, 400, 403, 404)  # 302: of old, an address without "change/"
    ]
    assert wrong == []


FORMS = {
    "/admin/rates/region/add/": {"slug": "x", "name": "X", "parent": "900"},
    "/admin/rates/region/900/change/": {"slug": "x", "name": "X", "parent": ""},
    "/admin/rates/region/900/delete/": {"post": "yes"},
    "/admin/rates/region/": {
        "action": "delete_selected",
        "_selected_action": "900",
        "index": "0",
        "select_across": "0",
    },
    "/admin/rates/port/add/": {"code": "NLRTM", "name": "Rotterdam", "region": "900"},
    "/admin/rates/port/": {"action": "delete_selected", "_selected_action": "900", "post": "yes"},
    "/admin/rates/price/add/": {"origin": "900", "destination": "900", "day": "2026-01-01", "price_usd": "1"},
    "/admin/rates/price/": {"action": "delete_selected", "_selected_action": "900"},
    "/admin/auth/user/add/": {"username": "bob", "usable_password": "false", "password1": "", "password2": ""},
    "/admin/auth/user/900/change/": {
        "username": "ada",
        "groups": "900",
        "user_permissions": "1",
        "last_login_0": "2026-01-01",
    },
    "/admin/auth/user/900/password/": {"usable_password": "true", "password1": "x", "password2": "x"},
    "/admin/auth/user/": {"action": "delete_selected", "_selected_action": "900"},
    "/admin/auth/group/add/": {"name": "x", "permissions": "1"},
    "/admin/auth/group/": {"action": "delete_selected", "_selected_action": "900"},
    "/admin/gateway/apikey/": {"action": "delete_selected", "_selected_action": "900"},
    "/admin/password_change/": {"old_password": "x", "new_password1": "x", "new_password2": "x"},
    "/admin/login/": {"username": "ada", "password": "x", "next": "/admin/"},
}


@pytest.mark.parametrize(("where", "form"), FORMS.items(), ids=list(FORMS))
def test_form_may_hold_anything(people: Client, where: str, form: dict[str, str]) -> None:
    failed = []
    for name in [*form, "_popup", "_to_field"]:
        for hostile in HOSTILE:
            sent = urlencode(form | {name: hostile}, errors="surrogatepass")
            if people.post(where, sent, content_type="application/x-www-form-urlencoded").status_code >= 500:
                failed.append((name, hostile[:20]))
    assert failed == []


def test_dialog_may_hold_anything(people: Client) -> None:
    voucher()
    where = f"/admin/vouchers/voucher/{Voucher.objects.get().pk}/change-limit/"
    for hostile in HOSTILE:
        sent = urlencode({"limit": hostile, "_form_submitted": "True"}, errors="surrogatepass")
        assert people.post(where, sent, content_type="application/x-www-form-urlencoded").status_code < 500, hostile


@pytest.mark.parametrize("name", ["sessionid", "csrftoken", "messages", "other"])
def test_cookie_may_hold_anything(people: Client, name: str) -> None:
    for value in ('"abcdefgh\\000"', "abcdefgh%00", "9" * 5_000, "\x80\xff", '"', "a:b:c"):
        people.cookies.clear()
        assert people.get("/admin/", headers={"cookie": f"{name}={value}"}).status_code in (200, 302, 400), value


def test_refusal_names_what_is_wrong(people: Client) -> None:
    def fields(answer: Any) -> list[str]:
        assert answer.status_code == 400
        return [error["field"] for error in json.loads(answer.content)["errors"]]

    assert fields(people.get("/admin/rates/port/?q=%00")) == ["q"]
    assert fields(people.get("/admin/rates/port/?%00q=1")) == ["q"]
    assert fields(people.post("/admin/rates/port/", FORMS["/admin/rates/port/"] | {"_selected_action": "abc"})) == [
        "_selected_action"
    ]
    assert people.get("/admin/search/?s=x&page=abc").status_code == 404
    assert b"is not one of the available choices" in people.post("/admin/rates/port/add/", {"region": "abc"}).content
