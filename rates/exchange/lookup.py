"""Reads exchange rates from the table, for many pairs of currency and day at once."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from common.stores.sqlfiles import load_sql
from rates.exchange.types import Known

_SQL = load_sql(Path(__file__).parents[1] / "sql" / "exchange.sql")


class Wanted(NamedTuple):
    currency: str
    day: date


class Rate(NamedTuple):
    usd_per_unit: Decimal
    rate_on: date
    provider: str


def find_rates(wanted: Sequence[Wanted]) -> dict[Wanted, Rate]:
    """The newest rate on or before each day that is not too old (EXCHANGE_RATE_MAX_AGE_DAYS); absent where none is.

    Of two providers' rates of one day, the one that stands first in that setting counts.
    """
    ages: dict[str, int] = settings.EXCHANGE_RATE_MAX_AGE_DAYS
    sources = {"providers": list(ages), "ages": list(ages.values()), "oldest": max(ages.values())}
    rows = _ask("find_rates", wanted, sources)
    return {wanted[number - 1]: Rate(*rest) for number, *rest in rows}


def last_known(wanted: Sequence[Wanted]) -> dict[Wanted, Known]:
    """The newest rate on or before each day, however old and whoever said it; absent where none is."""
    return {wanted[number - 1]: Known(*rest) for number, *rest in _ask("last_known", wanted, {})}


def _ask(name: str, wanted: Sequence[Wanted], rest: dict[str, Any]) -> list[tuple[Any, ...]]:
    if not wanted:
        return []
    pairs: dict[str, Any] = {"currencies": [pair.currency for pair in wanted], "days": [pair.day for pair in wanted]}
    with connection.cursor() as cursor:
        cursor.execute(_SQL[name], pairs | rest)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
