"""The admin of exchange rates as a person uses it, and their metrics."""

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from rates.exchange.metrics import exchange_metrics
from rates.models import DoubtfulRate, ExchangeRate, RateFetch

pytestmark = pytest.mark.django_db
ADMIN = "/admin/rates"
FRIDAY = date(2026, 10, 30)
CONFIRMED = {"_form_submitted": "True"}


@pytest.fixture
def people(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.fixture(autouse=True)
def rows(db: None) -> None:
    for currency, on in (("EUR", FRIDAY), ("EUR", FRIDAY - timedelta(1)), ("GBP", FRIDAY)):
        ExchangeRate.objects.create(currency=currency, rate_on=on, provider="ecb", usd_per_unit=Decimal("1.5"))
    DoubtfulRate.objects.create(
        currency="SYP", rate_on=FRIDAY, provider="ecb", usd_per_unit=10, reason="It differs 10.0 times."
    )
    RateFetch.objects.create(provider="openexchangerates", rate_on=FRIDAY, last_error="401 invalid_app_id")


def text(client: Client, address: str, **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200, (address, answer.content[-300:])
    return re.sub(r"\s+", " ", answer.content.decode())


def test_every_list_and_row_is_shown_and_none_is_changed(people: Client) -> None:
    for model, shown in ((ExchangeRate, "1.5"), (DoubtfulRate, "It differs"), (RateFetch, "401 invalid_app_id")):
        name = model._meta.model_name
        row = model._default_manager.first()
        assert row is not None
        assert shown in text(people, f"{ADMIN}/{name}/")
        assert shown in text(people, f"{ADMIN}/{name}/{row.pk}/change/")
        assert people.post(f"{ADMIN}/{name}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert people.get(f"{ADMIN}/{name}/add/").status_code == 403
        assert f"{ADMIN}/{name}/" in text(people, "/admin/")


@pytest.mark.parametrize(
    ("term", "found"), [("eur", 2), ("EUR 2026-10-30", 1), ("2026-10-30", 2), ("XYZ", 0), ("2026-02-30", 0), ("%'", 0)]
)
def test_rates_are_found_by_currency_and_day(people: Client, term: str, found: int) -> None:
    page = text(people, f"{ADMIN}/exchangerate/", q=term)
    assert len(set(re.findall(r"/exchangerate/(\d+)/change/", page))) == found


def test_person_believes_an_outlier(people: Client) -> None:
    where = f"{ADMIN}/doubtfulrate/{DoubtfulRate.objects.get().pk}"
    assert "Believe this rate?" in text(people, f"{where}/accept/")
    answer = people.post(f"{where}/accept/", CONFIRMED, follow=True)
    assert "Rates stored: 1; still in doubt: 0." in answer.content.decode()
    assert ExchangeRate.objects.get(currency="SYP").usd_per_unit == 10
    assert LogEntry.objects.get().get_change_message() == "Believed 10."
    assert people.post(f"{where}/accept/", CONFIRMED).status_code == 404


def test_staff_without_rights_believe_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("guest", is_staff=True))
    where = f"{ADMIN}/doubtfulrate/{DoubtfulRate.objects.get().pk}"
    assert client.post(f"{where}/accept/", CONFIRMED).status_code == 403
    assert not ExchangeRate.objects.filter(currency="SYP").exists()


def test_metrics_tell_age_and_outliers() -> None:
    samples = {sample.name: sample for metric in exchange_metrics() for sample in metric.samples}
    age = samples["floodgate_exchange_rates_age_seconds"]
    assert (age.labels, age.value) == ({"provider": "ecb"}, (timezone.now().date() - FRIDAY).total_seconds())
    assert samples["floodgate_exchange_rates_in_doubt"].value == 1
