"""The rules of one row of a promotions file: the only place that knows what is accepted and why a row is refused.

``rowwords`` accepts most lines of a block at once; every line it is not sure of comes here. It may accept only what
this module accepts, with the same values; a property test holds the two together. One line takes about 3 microseconds.

A row is ``id,price,expiration_date``. Quoting is off, spaces around a column are dropped.

- id: UUID as 8-4-4-4-12 hexadecimal digits of any case, the nil UUID included; no braces, no ``urn:``.
- price: ``digits[.digits]``, at most 12 integer digits (leading zeros do not count) and 6 places; no sign, no exponent.
- expiration_date: ``YYYY-MM-DD``, space or ``T``, ``HH:MM:SS[.fraction]``, then ``Z``, ``+HHMM`` or ``+HH:MM`` (a space
  may come before it) and perhaps a zone name, which is ignored: the offset counts. The fraction is cut to microseconds.
  The year is 0001-9999 also after conversion to UTC; there is no hour 24 and no second 60.
"""

import datetime
import re
from enum import StrEnum
from typing import NamedTuple

MAX_LINE_BYTES = 64 * 1024
COLUMNS = ("id", "price", "expiration_date")
MAX_INTEGER_DIGITS = 12
MAX_PLACES = 6
FRACTION_DIGITS = 6  # of a second; further ones are cut

POSTGRES_EPOCH_DAY = datetime.date(2000, 1, 1).toordinal()
MILLION = 1_000_000
SECONDS_OF_DAY = 86_400
FIRST_EXPIRY_US = (1 - POSTGRES_EPOCH_DAY) * SECONDS_OF_DAY * MILLION
LAST_EXPIRY_US = (datetime.date.max.toordinal() + 1 - POSTGRES_EPOCH_DAY) * SECONDS_OF_DAY * MILLION - 1

_ID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PRICE = re.compile(rb"(-?)([0-9]+)(?:\.([0-9]+))?")
_INSTANT = re.compile(rb"([0-9]{4})-([0-9]{2})-([0-9]{2})[ Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})")
_TAIL = re.compile(rb"(?:\.([0-9]+))? ?(?:[Zz]|([+-])([0-9]{2}):?([0-9]{2}))(?: [A-Za-z0-9+-]{1,10})?")
INSTANT_BYTES = 19
_SHOWN_BYTES = 80


class Reason(StrEnum):
    """Why a row is refused; the values are stable and stored."""

    COLUMN_COUNT = "column_count"
    BAD_UUID = "bad_uuid"
    BAD_PRICE = "bad_price"
    NEGATIVE_PRICE = "negative_price"
    PRICE_PRECISION = "price_precision"
    PRICE_RANGE = "price_range"
    BAD_DATE = "bad_date"
    DATE_RANGE = "date_range"
    INVALID_UTF8 = "invalid_utf8"
    NUL_BYTE = "nul_byte"
    LINE_TOO_LONG = "line_too_long"


class Row(NamedTuple):
    """An accepted row."""

    id: bytes  # 16 bytes
    price_micros: int  # millionths
    expires_us: int  # microseconds since 2000-01-01T00:00:00Z


class Problem(NamedTuple):
    """Why a line is no row; ``column`` is empty when the line as a whole is at fault."""

    column: str
    reason: Reason
    detail: str


class Tail(NamedTuple):
    """What follows ``YYYY-MM-DD HH:MM:SS``."""

    fraction_us: int
    offset_seconds: int  # east of UTC


def parse_line(line: bytes, length: int | None = None) -> Row | Problem | None:
    """Read one line without its newline; None means that it is blank.

    A line above MAX_LINE_BYTES may be given by any larger part of it together with its true length.
    """
    if problem := _unreadable(line, len(line) if length is None else length):
        return problem
    line = line.rstrip(b"\r")
    if not line.strip(b" \r"):
        return None
    columns = line.split(b",")
    if len(columns) != len(COLUMNS):
        return Problem("", Reason.COLUMN_COUNT, f"expected {len(COLUMNS)} columns, found {len(columns)}")
    return _parse_columns(*(column.strip(b" ") for column in columns))


def parse_tail(tail: bytes) -> Tail | None:
    """Read fraction, offset and zone name; None when they are malformed or the offset is beyond 23:59."""
    match = _TAIL.fullmatch(tail)
    if match is None:
        return None
    fraction, sign, hours, minutes = match.groups()
    fraction_us = int(((fraction or b"") + b"0" * FRACTION_DIGITS)[:FRACTION_DIGITS])
    if sign is None:
        return Tail(fraction_us, 0)
    if int(hours) > 23 or int(minutes) > 59:
        return None
    seconds = int(hours) * 3600 + int(minutes) * 60
    return Tail(fraction_us, -seconds if sign == b"-" else seconds)


def _unreadable(line: bytes, length: int) -> Problem | None:
    if length > MAX_LINE_BYTES:
        return Problem("", Reason.LINE_TOO_LONG, f"{length} bytes, the limit is {MAX_LINE_BYTES}")
    if b"\0" in line:
        return Problem("", Reason.NUL_BYTE, f"NUL at byte {line.index(0)} of the line")
    try:
        line.decode()
    except UnicodeDecodeError as exc:
        return Problem("", Reason.INVALID_UTF8, f"no UTF-8 at byte {exc.start} of the line")
    return None


def _parse_columns(id_text: bytes, price_text: bytes, date_text: bytes) -> Row | Problem:
    if not _ID.fullmatch(id_text):
        return Problem("id", Reason.BAD_UUID, f"{_shown(id_text)} is not a hyphenated UUID")
    price = _parse_price(price_text)
    if isinstance(price, Problem):
        return price
    expires = _parse_date(date_text)
    if isinstance(expires, Problem):
        return expires
    return Row(bytes.fromhex(id_text.replace(b"-", b"").decode()), price, expires)


def _parse_price(text: bytes) -> int | Problem:
    match = _PRICE.fullmatch(text)
    if match is None:
        return Problem("price", Reason.BAD_PRICE, f"{_shown(text)} is not a decimal number like 60.68")
    sign, whole, places = match.group(1), match.group(2).lstrip(b"0"), match.group(3) or b""
    if sign:
        return Problem("price", Reason.NEGATIVE_PRICE, f"{_shown(text)} is negative")
    if len(whole) > MAX_INTEGER_DIGITS:
        return Problem("price", Reason.PRICE_RANGE, f"{len(whole)} integer digits, at most {MAX_INTEGER_DIGITS}")
    if len(places) > MAX_PLACES:
        return Problem("price", Reason.PRICE_PRECISION, f"{len(places)} decimal places, at most {MAX_PLACES}")
    return int(whole + places.ljust(MAX_PLACES, b"0"))


def _parse_date(text: bytes) -> int | Problem:
    match, tail = _INSTANT.match(text), parse_tail(text[INSTANT_BYTES:])
    if match is None or tail is None:
        return Problem("expiration_date", Reason.BAD_DATE, f"{_shown(text)} is not a time with an offset up to 23:59")
    try:
        instant = datetime.datetime(*map(int, match.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError as exc:
        return Problem("expiration_date", Reason.BAD_DATE, f"{_shown(text)}: {exc}")
    days = instant.toordinal() - POSTGRES_EPOCH_DAY
    seconds = days * SECONDS_OF_DAY + instant.hour * 3600 + instant.minute * 60 + instant.second
    expires_us = (seconds - tail.offset_seconds) * MILLION + tail.fraction_us
    if not FIRST_EXPIRY_US <= expires_us <= LAST_EXPIRY_US:
        return Problem("expiration_date", Reason.DATE_RANGE, f"{_shown(text)} leaves the years 0001-9999 in UTC")
    return expires_us


def _shown(text: bytes) -> str:
    return repr(text[:_SHOWN_BYTES].decode(errors="backslashreplace"))
