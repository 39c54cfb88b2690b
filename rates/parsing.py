"""What the fields of requests about rates may be, as strictly as the contract says."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from common.errors import FieldError, InvalidInput
from common.text.fields import Field, Kind, Shape, exact, kind, read_fields, read_query
from rates.models import AMOUNT_BELOW, AMOUNT_PLACES, PRICE_BELOW, PRICE_PLACES, SLUG_LENGTH
from rates.types import STATS, RatesQuery, Upload

RANGE_MAX_DAYS = 3_653  # ten years
STATS_MAX_DAYS = 366
NAME_LENGTH = 200
MIN_PRICES_DEFAULT, MIN_PRICES_MAX = 3, 1_000_000
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_PLACE = re.compile(rf"[A-Za-z0-9_-]{{1,{SLUG_LENGTH}}}", re.ASCII)
_CODE = re.compile(r"[A-Z0-9]{5}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


@kind(type="string", format="date")
def day(value: Any) -> date:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("Must be a day like 2026-11-21.")
    try:
        return date.fromisoformat(value)
    except ValueError as exc:
        raise ValueError("Is no day of the calendar.") from exc


@kind(type="string", pattern=f"^{_PLACE.pattern}$", description="A port's code or a region's slug.")
def place(value: Any) -> str:
    if not isinstance(value, str) or not _PLACE.fullmatch(value):
        raise ValueError("Must be a port code of 5 characters or the slug of a region.")
    return value


@kind(type="string", pattern=f"^{_CODE.pattern}$")
def port_code(value: Any) -> str:
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise ValueError("Must be a port code: 5 of A-Z and 0-9.")
    return value


@kind(type="string", pattern=f"^{_PLACE.pattern}$")
def region_slug(value: Any) -> str:
    if not isinstance(value, str) or not _PLACE.fullmatch(value):
        raise ValueError(f"Must be 1 to {SLUG_LENGTH} of A-Z, a-z, 0-9, hyphen and underscore.")
    return value


@kind(type="string", minLength=1, maxLength=NAME_LENGTH)
def place_name(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= NAME_LENGTH:
        raise ValueError(f"Must be a name of 1 to {NAME_LENGTH} characters.")
    if strange := next((sign for sign in value if not sign.isprintable()), ""):
        raise ValueError(f"Has the character U+{ord(strange):04X}, which cannot be printed.")
    return value


@kind(type="string", pattern=f"^{_CURRENCY.pattern}$", description="After ISO 4217; USD without.")
def currency_code(value: Any) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise ValueError("Must be a currency after ISO 4217 in capital letters, like EUR.")
    return value


def _positive(below: int, places: int) -> Kind[Decimal]:
    sentence = f"Must be above 0 and below {below:,}, with at most {places} decimal places."

    @kind(type="number", format="double", exclusiveMinimum=0, exclusiveMaximum=below)
    def read(value: Any) -> Decimal:
        amount = exact(value)
        if not 0 < amount < below or amount != round(amount, places):
            raise ValueError(sentence)
        return amount

    return read


usd = _positive(PRICE_BELOW, PRICE_PLACES)
amount = _positive(AMOUNT_BELOW, AMOUNT_PLACES)


@kind(type="integer", minimum=1, maximum=MIN_PRICES_MAX, description="A day with fewer prices has no average.")
def min_prices(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MIN_PRICES_MAX:
        raise ValueError(f"Must be a whole number from 1 to {MIN_PRICES_MAX}: digits only.")
    return value


@kind(type="string", description="Some of count,min,max,median,p25,p75.")
def stats(value: Any) -> tuple[str, ...]:
    wanted = tuple(value.split(",")) if isinstance(value, str) else ()
    if not wanted or len(set(wanted)) != len(wanted) or not set(wanted) <= set(STATS):
        raise ValueError(f"Must be some of {','.join(STATS)}, each once.")
    return wanted


@kind(type="string", enum=["parent"], description="Answer thin days from the regions above.")
def fallback(value: Any) -> bool:
    if value != "parent":
        raise ValueError("Must be parent, or absent.")
    return True


RATES: Shape = {
    "date_from": Field(day),
    "date_to": Field(day, says="Included; at most ten years, with stats 366 days."),
    "origin": Field(place),
    "destination": Field(place),
    "min_prices": Field(min_prices, is_required=False, default=MIN_PRICES_DEFAULT),
    "stats": Field(stats, is_required=False, default=()),
    "fallback": Field(fallback, is_required=False, default=False),
}


def read_rates_query(query: bytes) -> RatesQuery:
    """What a query string asks for. Raises InvalidInput."""
    fields = read_query(query, RATES)
    check_range(fields["date_from"], fields["date_to"])
    if fields["stats"] and fields["date_to"] - fields["date_from"] >= timedelta(days=STATS_MAX_DAYS):
        raise InvalidInput(FieldError("stats", f"Can be asked for at most {STATS_MAX_DAYS} days."))
    return RatesQuery(**fields)


def check_range(date_from: date, date_to: date) -> None:
    """Raises InvalidInput."""
    if date_to < date_from:
        raise InvalidInput(FieldError("date_to", "Must not be before date_from."))
    if date_to - date_from >= timedelta(days=RANGE_MAX_DAYS):
        raise InvalidInput(FieldError("date_to", f"Must be at most ten years ({RANGE_MAX_DAYS} days) from date_from."))


UPLOAD: Shape = {
    "date_from": Field(day),
    "date_to": Field(day, says="Included; at most ten years."),
    "origin_code": Field(port_code, says="A port's code."),
    "destination_code": Field(port_code, says="A port's code."),
    "price": Field(amount, says="In USD below 10,000,000,000, with at most 2 decimal places."),
    "currency": Field(currency_code, is_required=False, default="USD"),
}
UPLOAD_IN_USD: Shape = {**UPLOAD, "price": Field(usd)}


def read_upload(given: Any, batch_id: int | None = None, batch_row: int | None = None) -> Upload:
    """One upload, of a request or of a batch's row. Raises InvalidInput."""
    is_usd = isinstance(given, Mapping) and given.get("currency", "USD") == "USD"
    fields = read_fields(given, UPLOAD_IN_USD if is_usd else UPLOAD)
    upload = Upload(**fields, batch_id=batch_id, batch_row=batch_row)
    check_range(upload.date_from, upload.date_to)
    return upload
