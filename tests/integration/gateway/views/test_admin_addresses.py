"""Addresses of admin pages may hold anything: what is no row is 404, what is no filter 400."""

from urllib.parse import quote

import pytest
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client

from counters.models import Counter, Flush
from gateway.models import ApiKey
from promotions.models import Import, Reject, Version
from rates.models import DoubtfulRate, ExchangeRate, Port, Price, PriceBatch, RateFetch, Region
from timestamps.models import DeadLetter, RecordTable

pytestmark = pytest.mark.django_db

ACTIONS: dict[type[Model], list[str]] = {
    Import: ["cancel"],
    Version: ["make-live"],
    Reject: [],
    Counter: [],
    Flush: [],
    ApiKey: ["revoke"],
    PriceBatch: ["cancel"],
    ExchangeRate: [],
    DoubtfulRate: ["accept"],
    RateFetch: [],
    RecordTable: ["cancel"],
    DeadLetter: ["retry"],
}
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
    "٣",
)


@pytest.fixture
def people(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def page(model: type[Model]) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


@pytest.mark.parametrize("model", ACTIONS)
def test_row_that_is_not_there_is_404(people: Client, model: type[Model]) -> None:
    for wrong in NO_IDS:
        for name in ("change", "history", *ACTIONS[model]):
            where = f"{page(model)}{quote(wrong)}/{name}/"
            assert people.get(where).status_code == 404, where
            assert people.post(where, {"_form_submitted": "True"}).status_code == 404, where


@pytest.mark.parametrize("model", [*ACTIONS, Region, Port, Price, User, Group])
def test_addresses_of_lists_may_hold_anything(people: Client, model: type[Model]) -> None:
    where = f"{page(model)}?"
    if model is Reject:
        where += f"source_import={Import.objects.create(source='a.csv', path='/nowhere/a.csv').pk}&"
    columns = [field.name for field in model._meta.get_fields()]
    hows = ("", "__exact", "__range", "__isnull")
    queries = [f"{name}{how}={value}" for name in columns for how in hows for value in ("%00", "abc")]
    others = ("q", "p", "o", "e", "_to_field", "reason", "source_import")
    queries += [f"{name}={value}" for name in others for value in ("%00", "abc", "9" * 30, "9" * 5_000, "-1", "٣")]
    for query in queries:
        assert people.get(where + query).status_code in (200, 302, 400), query


def test_filters_that_are_offered_are_answered_and_others_are_400(people: Client) -> None:
    for offered in (
        f"{page(Import)}?status__exact=published",
        f"{page(ApiKey)}?revoked_at__isempty=1",
        f"{page(User)}?is_staff__exact=1",
        f"{page(User)}?groups__id__exact={Group.objects.create(name='support').pk}",
        f"{page(Reject)}?source_import={Import.objects.create(source='a', path='/a').pk}&reason=bad_price",
    ):
        assert people.get(offered).status_code == 200, offered
    for other in (f"{page(Import)}?path__regex=x", f"{page(User)}?password=x", f"{page(ApiKey)}?digest=x"):
        assert people.get(other).status_code == 400, other
