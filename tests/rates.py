"""What tests about rates share: a few places, prices between them, and whole tables to compare."""

from datetime import date, timedelta
from decimal import Decimal

from rates.models import Port, Region
from rates.prices.services import add_prices
from rates.types import PriceRange, PricesAdded

FIRST_DAY = date(2026, 1, 1)


def day(number: int) -> date:
    return FIRST_DAY + timedelta(days=number)


def region(slug: str, parent: Region | None = None) -> Region:
    return Region.objects.create(slug=slug, name=slug.title(), parent=parent)


def port(code: str, where: Region) -> Port:
    return Port.objects.create(code=code, name=code.title(), region=where)


def add(origin: Port, destination: Port, number: int, *prices: float | str | Decimal) -> None:
    """Prices of one day."""
    on = day(number)
    outcomes = add_prices([PriceRange(origin.pk, destination.pk, on, on, Decimal(str(price))) for price in prices])
    assert outcomes == [PricesAdded(1)] * len(prices)
