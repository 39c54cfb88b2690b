"""Every answer against an oracle that counts raw prices."""

import random
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from django.db import IntegrityError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rates.models import Port, Price, Region
from rates.prices.rebuilding import prove_rollup
from rates.prices.services import add_prices, delete_prices
from rates.questions.averages import read_rates
from rates.types import PriceRange, RatesAnswer, RatesQuery
from tests.rates import day, port, region
from tests.rates_oracle import Oracle, quantile
from tests.roads import django

pytestmark = pytest.mark.django_db(transaction=True)

DAYS = 5
TABLES = "rates_price, rates_rollup, rates_port, rates_region, rates_regionclosure, rates_dataversion"


def empty_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {TABLES}")


def generate(seed: int, *, regions: int, ports: int, prices: int) -> None:
    """Regions nested at random, ports in any of them, and prices: some days have many, some few, the last has none."""
    choose = random.Random(seed)
    nodes: list[Region] = []
    for number in range(regions):
        nodes.append(region(f"r{number}", choose.choice([None, *nodes])))
    places = [port(f"P{number:04}", choose.choice(nodes)) for number in range(ports)]
    add_some(choose, places, prices)


def add_some(choose: random.Random, places: list[Port], prices: int) -> None:
    """A third come twice."""
    ranges = []
    for _ in range(prices):
        first = choose.choice([0, 0, 0, 1, 2, 3])
        last = min(first + choose.choice([0, 0, 1]), DAYS - 2)
        lane = choose.choice(places).pk, choose.choice(places).pk
        wanted = PriceRange(*lane, day(first), day(last), Decimal(choose.randrange(1, 99_999)) / 100)
        ranges += [wanted] * choose.choice([1, 1, 2])
    add_prices(ranges)


def disagreements(min_prices: int = 3) -> list[Any]:
    oracle = Oracle()
    lanes = list(product(oracle.names, oracle.names))
    answers = read_rates([RatesQuery(day(0), day(DAYS - 1), *lane, min_prices=min_prices) for lane in lanes])
    found = []
    for lane, answer in zip(lanes, answers, strict=True):
        assert isinstance(answer, RatesAnswer)
        assert answer.days is not None
        told = [rate.average for rate in answer.days]
        if told != (said := oracle.averages(*lane, day(0), day(DAYS - 1), min_prices)):
            found.append((lane, told, said))
    return found


def test_every_pair_of_ports_and_regions_agrees_with_the_oracle() -> None:
    generate(1, regions=8, ports=9, prices=150)
    oracle = Oracle()
    some, none = 0, 0
    for origin, destination in product(oracle.names, oracle.names):
        query = f"date_from={day(0)}&date_to={day(DAYS - 1)}&origin={origin}&destination={destination}"
        told = django("GET", f"/rates?{query}").json
        said = oracle.averages(origin, destination, day(0), day(DAYS - 1))
        assert [each["average_price"] for each in told] == said, (origin, destination)
        assert [each["day"] for each in told] == [str(day(0) + timedelta(days=number)) for number in range(DAYS)]
        some, none = some + sum(each is not None for each in said), none + said.count(None)
    assert some > 200
    assert none > 200


def test_statistics_agree_with_the_oracle() -> None:
    generate(2, regions=5, ports=5, prices=120)
    oracle = Oracle()
    lanes = list(product(oracle.names, oracle.names))
    stats = ("count", "min", "max", "median", "p25", "p75")
    answers = read_rates([RatesQuery(day(0), day(0), *lane, min_prices=2, stats=stats) for lane in lanes])
    compared = 0
    for lane, answer in zip(lanes, answers, strict=True):
        assert isinstance(answer, RatesAnswer)
        (told,) = answer.days or []
        prices = oracle.prices(*lane, day(0))
        if len(prices) < 2:
            assert told.stats == (len(prices), None, None, None, None, None)
            continue
        quantiles = [quantile(prices, Fraction(share, 4)) for share in (2, 1, 3)]
        assert [Fraction(str(value)) for value in told.stats] == [len(prices), prices[0], prices[-1], *quantiles]
        compared += 1
    assert compared > 30


EDITS = st.lists(
    st.tuples(st.sampled_from(["add", "delete", "move port", "move region", "grow"]), st.integers(0, 2**32)),
    min_size=2,
    max_size=6,
)


@settings(max_examples=30, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), edits=EDITS, min_prices=st.integers(1, 4))
def test_random_trees_and_prices_agree_with_the_oracle_after_any_edits(
    seed: int, edits: list[tuple[str, int]], min_prices: int
) -> None:
    empty_tables()
    generate(seed, regions=5, ports=5, prices=30)
    for kind, choice in edits:
        edit(kind, random.Random(choice))
    assert disagreements(min_prices) == []
    assert prove_rollup().holds


def edit(kind: str, choose: random.Random) -> None:
    nodes, places = list(Region.objects.order_by("id")), list(Port.objects.order_by("id"))
    if kind == "add":
        add_some(choose, places, 10)
    elif kind == "delete":
        ids = list(Price.objects.order_by("id").values_list("id", flat=True))
        delete_prices(choose.sample(ids, len(ids) // 2))
    elif kind == "move port":
        Port.objects.filter(pk__in=[each.pk for each in choose.sample(places, 2)]).update(region=choose.choice(nodes))
    elif kind == "grow":
        port(f"N{Port.objects.count():04}", region(f"n{Region.objects.count()}", choose.choice(nodes)))
    else:
        move_region(choose.choice(nodes), choose.choice([None, *nodes]))


def move_region(moved: Region, parent: Region | None) -> None:
    """Where that would be a circle, all stays as it was."""
    moved.parent = parent
    with suppress(IntegrityError):
        moved.save()
