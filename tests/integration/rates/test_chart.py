"""The chart's page as a person uses it."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from rates.models import Port
from tests.rates import add, port, region

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/admin/rates/chart/"
LANE = {
    "origin": "CNSGH",
    "destination": "baltic",
    "date_from": "2026-01-01",
    "date_to": "2026-01-04",
    "min_prices": "3",
}


@pytest.fixture
def people(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.fixture
def lane() -> tuple[Port, Port]:
    origin, destination = port("CNSGH", region("china")), port("PLGDN", region("baltic"))
    add(origin, destination, 0, 1_000, 1_100, 1_201)
    add(origin, destination, 1, 5, 6)
    add(origin, destination, 3, 2_000, 2_000, 2_000, 2_000)
    return origin, destination


def text(client: Client, **query: str) -> str:
    answer = client.get(PAGE, query)
    assert answer.status_code == 200, answer.content[-300:]
    return re.sub(r"\s+", " ", answer.content.decode())


def test_form_comes_first_and_is_in_the_sidebar(people: Client, lane: tuple[Port, Port]) -> None:
    page = text(people)
    assert 'name="origin"' in page
    assert '<option value="CNSGH">' in page
    assert "<figure" not in page
    assert f'href="{PAGE}"' in people.get("/admin/").content.decode()


@pytest.mark.parametrize("left_out", [{}, {"min_prices": ""}])
def test_what_a_question_leaves_out_is_as_in_the_empty_form(
    people: Client, lane: tuple[Port, Port], left_out: dict[str, str]
) -> None:
    given = {name: value for name, value in LANE.items() if name != "min_prices"}
    assert "2 of 4 days have an average" in text(people, **given, **left_out)
    page = text(people, origin="CNSGH", destination="baltic")
    assert "There are no prices from CNSGH to baltic on these days." in page
    assert 'name="min_prices" value="3"' in page


def test_chart_words_and_table_say_the_same(people: Client, lane: tuple[Port, Port]) -> None:
    page = text(people, **LANE)
    assert "2 of 4 days have an average, from 1,100 to 2,000 USD. " in page
    assert "Days with fewer than 3 prices: 1; without any: 1. Prices in all: 9." in page
    assert 'd="M0.5 90.00 h0 M3.5 0.00 h0"' in page
    rows = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td></tr>', page)
    assert rows == [
        ("2026-01-01", "1100", "3"),
        ("2026-01-02", "none", "2"),
        ("2026-01-03", "none", "0"),
        ("2026-01-04", "2000", "4"),
    ]
    assert "<title>2026-01-02: no average, 2 prices</title>" in page


def test_nothing_comes_from_elsewhere(people: Client, lane: tuple[Port, Port]) -> None:
    figure = text(people, **LANE).split('class="lane-form"')[1]
    assert not re.search(r'(src|href)="(https?:)?//', figure)


def test_fewest_prices_are_chosen(people: Client, lane: tuple[Port, Port]) -> None:
    assert "3 of 4 days have an average, from 6 to 2,000 USD. " in text(people, **LANE | {"min_prices": "1"})


def test_lane_without_prices_is_told(people: Client, lane: tuple[Port, Port]) -> None:
    page = text(people, **LANE | {"origin": "PLGDN", "destination": "CNSGH"})
    assert "There are no prices from PLGDN to CNSGH on these days." in page
    assert "<figure" not in page


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"origin": "NOWHERE"}, "no port or region"),
        ({"origin": "'; DROP TABLE rates_price; --"}, "Must be a port code of 5 characters or the slug of a region."),
        ({"destination": "<script>alert(1)</script>"}, "Must be a port code"),
        ({"destination": ""}, "This field is required."),
        ({"date_from": "2026-02-30"}, "Enter a valid date."),
        ({"date_to": "2025-12-31"}, "Must not be before date_from."),
        ({"date_to": "2036-01-02"}, "Must be at most ten years"),
        ({"min_prices": "0"}, "greater than or equal to 1"),
    ],
)
def test_wrong_field_is_told_beside_it(
    people: Client, lane: tuple[Port, Port], given: dict[str, str], told: str
) -> None:
    page = text(people, **LANE | given)
    assert told.lower() in page.lower()
    assert "<script>alert" not in page
    assert "<figure" not in page


def test_chart_is_for_those_who_may_see_prices(client: Client) -> None:
    assert client.get(PAGE).status_code == 302
    client.force_login(User.objects.create_user("guest", is_staff=True))
    assert client.get(PAGE).status_code == 403
