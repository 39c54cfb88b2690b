"""What a scrape tells of questions and prices."""

import pytest
from prometheus_client import REGISTRY

from rates.metrics import rates_metrics
from rates.models import Price
from rates.prices.services import delete_prices
from rates.questions.averages import read_rates
from rates.types import RatesQuery
from tests.rates import add, day, port, region

pytestmark = pytest.mark.django_db(transaction=True)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_questions_are_counted_by_outcome_and_prices_by_what_became_of_them() -> None:
    names = ("answered", "unchanged", "place-not-found")
    before = [value("floodgate_rates_questions_total", outcome=name) for name in names]
    added, deleted = value("floodgate_rates_prices_added_total"), value("floodgate_rates_prices_deleted_total")
    here = port("AAAAA", region("here"))
    add(here, here, 0, 1, 2, 3)
    delete_prices([Price.objects.order_by("id")[0].pk])
    asked = RatesQuery(day(0), day(0), "AAAAA", "here")
    read_rates([asked, asked, asked._replace(etags=("*",)), asked._replace(origin="XXXXX")])
    after = [value("floodgate_rates_questions_total", outcome=name) for name in names]
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1, 1]
    assert value("floodgate_rates_prices_added_total") - added == 3
    assert value("floodgate_rates_prices_deleted_total") - deleted == 1


def test_scrape_estimates_the_tables() -> None:
    assert {family.name for family in rates_metrics()} == {"floodgate_rates_prices", "floodgate_rates_rollups"}
