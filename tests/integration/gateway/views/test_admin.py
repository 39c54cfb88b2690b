"""API keys as people see them in the admin."""

import re
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from gateway.keys.apikeys import create_api_key
from gateway.keys.scopes import KeyScope
from gateway.models import ApiKey

pytestmark = pytest.mark.django_db

KEYS = "/admin/gateway/apikey/"
CONFIRMED = {"_form_submitted": "True"}


def make(account: str) -> str:
    return create_api_key(account, [KeyScope.READ]).key


@pytest.fixture
def people(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def test_keys_are_shown_by_their_beginning_only(people: Client) -> None:
    key = make("shop")
    for address in (KEYS, f"{KEYS}{ApiKey.objects.get().pk}/change/"):
        page = people.get(address).content.decode()
        assert "shop" in page
        assert f"{key[:7]}…" in page
        assert key[7:] not in page
    assert KEYS in people.get("/admin/").content.decode()


def test_revoking_asks_first_and_is_logged(people: Client) -> None:
    make("shop")
    address = f"{KEYS}{ApiKey.objects.get().pk}/revoke/"
    assert "Revoke this key?" in people.get(address).content.decode()
    assert ApiKey.objects.get().revoked_at is None
    assert people.post(address, CONFIRMED, headers={"HX-Request": "true"}).headers["HX-Redirect"] == KEYS
    revoked_at = ApiKey.objects.get().revoked_at
    assert revoked_at is not None
    assert LogEntry.objects.get().get_change_message() == "Revoked."
    assert "was revoked before" in people.post(address, CONFIRMED, follow=True).content.decode()
    assert ApiKey.objects.get().revoked_at == revoked_at


def test_key_is_made_with_scopes_and_an_end_and_shown_once(people: Client, caplog: pytest.LogCaptureFixture) -> None:
    form = {"name": "shop", "scopes": ["read", "operate"], "expires_at_0": "2999-01-31", "expires_at_1": "10:00:00"}
    assert "vouchers:redeem" in people.get(f"{KEYS}add/").content.decode()
    page = people.post(f"{KEYS}add/", form)
    (key,) = re.findall(r"fg_[\w-]{32}", page.content.decode())
    made = ApiKey.objects.get()
    assert (made.name, made.scopes, made.prefix, made.state) == ("shop", ["read", "operate"], key[:7], "active")
    assert made.expires_at == datetime(2999, 1, 31, 10, tzinfo=UTC)
    assert bytes(made.digest) == sha256(key.encode()).digest()
    assert key not in people.get(KEYS).content.decode()
    assert key not in str(page.cookies)
    assert key not in LogEntry.objects.get().change_message


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"scopes": []}, "This field is required"),
        ({"scopes": ["everything"]}, "not one of the available choices"),
        ({"name": "10.0.0.1"}, "the first a letter"),
        ({"expires_at_0": "2020-01-01", "expires_at_1": "00:00"}, "This is past"),
    ],
)
def test_key_that_cannot_be_made_is_told_in_the_form(people: Client, wrong: dict[str, object], told: str) -> None:
    page = people.post(f"{KEYS}add/", {"name": "shop", "scopes": ["read"], **wrong})
    assert told in page.content.decode()
    assert not ApiKey.objects.exists()


def test_third_key_of_an_account_is_refused_in_words(people: Client) -> None:
    make("shop")
    make("shop")
    page = people.post(f"{KEYS}add/", {"name": "shop", "scopes": ["read"]}, follow=True)
    assert "revoke one of them first" in page.content.decode()
    assert ApiKey.objects.count() == 2


def test_keys_are_neither_changed_nor_deleted_here(people: Client) -> None:
    make("shop")
    number = ApiKey.objects.get().pk
    assert people.post(f"{KEYS}{number}/change/", {"name": "other"}).status_code == 403
    assert people.post(f"{KEYS}{number}/delete/", {"post": "yes"}).status_code == 403
    assert ApiKey.objects.get().name == "shop"


def test_staff_without_rights_see_and_revoke_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("guest", is_staff=True))
    make("shop")
    assert client.get(KEYS).status_code == 403
    assert client.post(f"{KEYS}add/", {"name": "shop", "scopes": ["read"]}).status_code == 403
    assert client.post(f"{KEYS}{ApiKey.objects.get().pk}/revoke/", CONFIRMED).status_code == 403
    assert ApiKey.objects.get().revoked_at is None
