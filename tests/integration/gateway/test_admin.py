"""API keys as people see them in the admin."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from gateway.apikeys import create_api_key
from gateway.models import ApiKey

pytestmark = pytest.mark.django_db

KEYS = "/admin/gateway/apikey/"
CONFIRMED = {"_form_submitted": "True"}


@pytest.fixture
def people(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def test_keys_are_shown_by_their_beginning_only(people: Client) -> None:
    key = create_api_key("shop")
    for address in (KEYS, f"{KEYS}{ApiKey.objects.get().pk}/change/"):
        page = people.get(address).content.decode()
        assert "shop" in page
        assert f"{key[:7]}…" in page
        assert key[7:] not in page
    assert KEYS in people.get("/admin/").content.decode()


def test_revoking_asks_first_and_is_logged(people: Client) -> None:
    create_api_key("shop")
    address = f"{KEYS}{ApiKey.objects.get().pk}/revoke/"
    assert "Revoke this key?" in people.get(address).content.decode()
    assert ApiKey.objects.get().revoked_at is None
    assert people.post(address, CONFIRMED, headers={"HX-Request": "true"}).headers["HX-Redirect"] == KEYS
    revoked_at = ApiKey.objects.get().revoked_at
    assert revoked_at is not None
    assert LogEntry.objects.get().get_change_message() == "Revoked."
    assert "was revoked before" in people.post(address, CONFIRMED, follow=True).content.decode()
    assert ApiKey.objects.get().revoked_at == revoked_at


def test_keys_are_neither_made_nor_changed_nor_deleted_here(people: Client) -> None:
    create_api_key("shop")
    number = ApiKey.objects.get().pk
    assert people.get(f"{KEYS}add/").status_code == 403
    assert people.post(f"{KEYS}{number}/change/", {"name": "other"}).status_code == 403
    assert people.post(f"{KEYS}{number}/delete/", {"post": "yes"}).status_code == 403
    assert ApiKey.objects.get().name == "shop"


def test_staff_without_rights_see_and_revoke_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("guest", is_staff=True))
    create_api_key("shop")
    assert client.get(KEYS).status_code == 403
    assert client.post(f"{KEYS}{ApiKey.objects.get().pk}/revoke/", CONFIRMED).status_code == 403
    assert ApiKey.objects.get().revoked_at is None
