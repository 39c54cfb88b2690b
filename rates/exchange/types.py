"""What providers say, and what became of it."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple, Protocol


class DayRates(NamedTuple):
    """A provider's rates of one day.

    Attributes:
        provider: its name.
        rate_on: the day.
        usd_per_unit: by code of the currency, without USD; 0 where what the provider says is no rate.
    """

    provider: str
    rate_on: date
    usd_per_unit: dict[str, Decimal]


class Provider(Protocol):
    """A source of rates. Attributes: days_at_once: are stored in one transaction."""

    name: str
    days_at_once: int

    def rates_between(self, first: date, last: date) -> Iterator[DayRates]:
        """The days from ``first`` to ``last`` that have rates, in order. Raises RatesUnavailable."""


class Outlier(NamedTuple):
    """A rate that was not believed. Attributes: reason: a sentence."""

    provider: str
    currency: str
    rate_on: date
    usd_per_unit: Decimal
    reason: str


class Known(NamedTuple):
    """The last rate of a currency before a day, whoever said it."""

    usd_per_unit: Decimal
    rate_on: date


class LoadReport(NamedTuple):
    """Attributes: days: with rates; stored: rates; outliers: rates that were kept out."""

    days: int
    stored: int
    outliers: list[Outlier]

    def plus(self, other: "LoadReport") -> "LoadReport":
        return LoadReport(self.days + other.days, self.stored + other.stored, self.outliers + other.outliers)
