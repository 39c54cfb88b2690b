"""What tests about batches of prices share: rows, submitting them, and an account of what became of each."""

import json
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from rates.batches.bodies import BodyFormat
from rates.batches.submitting import submit_batch
from rates.models import BatchReject, Port, Price, PriceBatch, Region
from tests.rates import day, port, region

CODES = ("CNSGH", "FRLEH", "NLRTM")


def make_ports() -> None:
    where: Region = region("europe")
    for code in CODES:
        port(code, where)


def row(number: int = 0, **other: Any) -> dict[str, Any]:
    """A good row of one day; ``number`` varies lane, day and price."""
    origin, destination = CODES[number % 3], CODES[(number + 1) % 3]
    fields = {"date_from": str(day(number % 50)), "date_to": str(day(number % 50)), "price": 100 + number}
    return fields | {"origin_code": origin, "destination_code": destination} | other


def ndjson(rows: list[Any]) -> bytes:
    return "\n".join(each if isinstance(each, str) else json.dumps(each) for each in rows).encode()


def submit(rows: list[Any], deadline_at: datetime | None = None) -> PriceBatch:
    return PriceBatch.objects.get(pk=submit_batch(ndjson(rows), BodyFormat.NDJSON, deadline_at))


def rejects(batch: PriceBatch) -> dict[int, str]:
    """Code by row."""
    return dict(BatchReject.objects.filter(batch=batch).values_list("row", "code"))


Observation = tuple[str, str, date, Decimal, int | None]


def prices() -> Counter[Observation]:
    """The whole table: origin, destination, day, USD, and the row of the batch."""
    codes = dict(Port.objects.values_list("pk", "code"))
    rows = Price.objects.values_list("origin_id", "destination_id", "day", "price_usd", "batch_row")
    return Counter((codes[origin], codes[to], on, price, number) for origin, to, on, price, number in rows)


def expected(rows: list[Any], *bad: int) -> Counter[Observation]:
    """What the table should be after a batch of good rows in USD, but for those with the numbers ``bad``."""
    found: Counter[Observation] = Counter()
    for number, fields in enumerate(rows, 1):
        if number not in bad:
            found.update(_observations(number, fields))
    return found


def _observations(number: int, fields: dict[str, Any]) -> list[Observation]:
    first, last = date.fromisoformat(fields["date_from"]), date.fromisoformat(fields["date_to"])
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    price = Decimal(str(fields["price"]))
    return [(fields["origin_code"], fields["destination_code"], on, price, number) for on in days]
