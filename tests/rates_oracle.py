"""Averages counted from raw prices, in another way than the service does: none of its SQL, no rollup, no closure."""

from collections import defaultdict
from datetime import date, timedelta
from fractions import Fraction
from math import floor
from typing import Any

from django.db import connection


class Oracle:
    """What the tables of regions, ports and prices say, read once."""

    def __init__(self) -> None:
        self._parents: dict[int, int | None] = dict(_rows("SELECT id, parent_id FROM rates_region"))
        self._regions: dict[str, int] = dict(_rows("SELECT slug, id FROM rates_region"))
        self._ports = {
            code: (number, region) for code, number, region in _rows("SELECT code, id, region_id FROM rates_port")
        }
        self._prices = defaultdict(list)
        for origin, destination, on, price in _rows(
            "SELECT origin_id, destination_id, day, price_usd FROM rates_price"
        ):
            self._prices[origin, destination, on].append(Fraction(price))
        self.names = [*self._ports, *self._regions]

    def prices(self, origin: str, destination: str, on: date) -> list[Fraction]:
        """All that count for two places, sorted."""
        found = []
        for start in self._ports_in(origin):
            for end in self._ports_in(destination):
                found += self._prices.get((start, end, on), [])
        return sorted(found)

    def averages(self, origin: str, destination: str, first: date, last: date, min_prices: int = 3) -> list[int | None]:
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        return [_average(self.prices(origin, destination, on), min_prices) for on in days]

    def _ports_in(self, name: str) -> set[int]:
        if name in self._ports:
            return {self._ports[name][0]}
        return {number for number, region in self._ports.values() if self._is_in(region, self._regions[name])}

    def _is_in(self, region: int | None, wanted: int) -> bool:
        while region is not None:
            if region == wanted:
                return True
            region = self._parents[region]
        return False


def _average(prices: list[Fraction], min_prices: int) -> int | None:
    return floor(sum(prices) / len(prices) + Fraction(1, 2)) if len(prices) >= min_prices else None


def quantile(prices: list[Fraction], share: Fraction) -> Fraction:
    """Between the two nearest, in proportion, rounded half-up to cents."""
    position = share * (len(prices) - 1)
    below = floor(position)
    above = min(below + 1, len(prices) - 1)
    exact = prices[below] + (position - below) * (prices[above] - prices[below])
    return Fraction(floor(exact * 100 + Fraction(1, 2)), 100)


def _rows(statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
