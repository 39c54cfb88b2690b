"""The rules of one row of a promotions file: the only place that knows what is accepted and why a row is refused.

``rowwords`` accepts most lines of a block at once; every line it is not sure of comes here. It may accept only what
this module accepts, with the same values; a property test holds the two together. One line takes about 5 microseconds.

A row is ``id,price,expiration_date``, or these in the order of the header. Spaces around a column are dropped. A column
may be quoted as a whole, and ``""`` within it is a quote then; the end of the line ends it all the same. In a column
that does not begin with a quote, quotes are text.

- id: UUID as 8-4-4-4-12 hexadecimal digits of any case, the nil UUID included; no braces, no ``urn:``.
- price: ``digits[.digits]``, at most 12 integer digits and 6 places, where zeros at both ends do not count; no
  exponent, no sign but that of ``-0``.
- expiration_date: ``YYYY-MM-DD``, space or ``T``, ``HH:MM:SS[.fraction]``, then ``Z``, ``+HH``, ``+HHMM``, ``+HH:MM``
  or ``+HH:MM:SS`` (a space may come before it) and perhaps a zone name, which is ignored: the offset counts. The
  fraction is cut to microseconds. The year is 0001-9999 also after conversion to UTC; there is no hour 24 and no second
  60. Go's reading of a monotonic clock, ``m=+86400.000500000``, may stand at the end and is ignored.
"""

import datetime
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from promotions.errors import SourceUnreadable

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

_COLUMN = re.compile(rb'(?: *+"((?:[^"]|"")*+)" *|( *+(?!")[^,]*| *))(,|\Z)?')
_SEPARATORS = re.compile(rb"[,;|\t]")  # of a header; rows know the comma only
_ID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PRICE = re.compile(rb"(-?)([0-9]+)(?:\.([0-9]+))?")
_INSTANT = re.compile(rb"([0-9]{4})-([0-9]{2})-([0-9]{2})[ Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})")
_TAIL = re.compile(
    rb"(?:\.(?P<fraction>[0-9]+))? ?"
    rb"(?:[Zz]|(?P<sign>[+-])(?P<h>[0-9]{2})(?:(?P<mm>[0-9]{2})|:(?P<m>[0-9]{2})(?::(?P<s>[0-9]{2}))?)?)"
    rb"(?: (?P<zone>[A-Za-z0-9+-]{1,10}))?(?: m=[+-][0-9]{1,20}\.[0-9]{1,9})?"
)
_NO_OFFSET = re.compile(rb"(?:\.[0-9]+)?(?: [A-Za-z]+)?")
INSTANT_BYTES = 19
_SHOWN_CHARACTERS = 80


class Reason(StrEnum):
    """Why a row is refused; the values are stable and stored."""

    COLUMN_COUNT = "column_count"
    BAD_QUOTES = "bad_quotes"
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


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line that is no row."""

    line: int  # physical line, from 1
    offset: int  # byte offset of the line in the source
    column: str  # "" when the line as a whole is at fault
    reason: Reason
    detail: str  # for people
    raw: str  # the first 1,024 bytes without the line's end; what PostgreSQL cannot store is shown as \x..


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


def parse_line(line: bytes, columns: tuple[str, ...] = COLUMNS) -> Row | Problem | None:
    """Read one line without its newline; None means that it is blank. ``columns``: their names in the line's order."""
    line = line.rstrip(b"\r")
    if problem := _unreadable(line):
        return problem
    if not line.strip(b" "):
        return None
    texts = _split(line)
    if isinstance(texts, Problem):
        return texts
    if len(texts) != len(COLUMNS):
        return Problem("", Reason.COLUMN_COUNT, f"expected {len(COLUMNS)} columns, found {len(texts)}")
    return _parse_columns(dict(zip(columns, texts, strict=True)))


def parse_header(line: bytes) -> tuple[str, ...] | None:
    """The columns in the order that a header names them; None for a line that names none of them.

    A row of data has no column that is called as one of ours, so what has is meant as a header.
    Raises: SourceUnreadable: not each of our columns is named once, or others are too.
    """
    line = line.rstrip(b"\r")
    if not {_name(text.strip(b' "')) for text in _SEPARATORS.split(line)} & set(COLUMNS):
        return None
    texts = _split(line)
    names = () if isinstance(texts, Problem) else tuple(map(_name, texts))
    if sorted(names) != sorted(COLUMNS):
        raise SourceUnreadable(
            f"The first line is a header, {_shown(line)}, but it does not name just the columns "
            f"{', '.join(COLUMNS)}, in any order and separated by commas."
        )
    return names


def parse_tail(tail: bytes) -> Tail | None:
    """Read fraction, offset, zone name and Go's clock; None when they are refused."""
    found = _read_tail(tail)
    return found if isinstance(found, Tail) else None


def _unreadable(line: bytes) -> Problem | None:
    if len(line) > MAX_LINE_BYTES:
        return Problem("", Reason.LINE_TOO_LONG, f"{len(line)} bytes, the limit is {MAX_LINE_BYTES}")
    if b"\0" in line:
        return Problem("", Reason.NUL_BYTE, f"NUL at byte {line.index(0)} of the line")
    try:
        line.decode()
    except UnicodeDecodeError as exc:
        return Problem("", Reason.INVALID_UTF8, f"no UTF-8 at byte {exc.start} of the line")
    return None


def _split(line: bytes) -> list[bytes] | Problem:
    if b'"' not in line:
        return [text.strip(b" ") for text in line.split(b",")]
    texts: list[bytes] = []
    for column in _COLUMN.finditer(line):
        quoted, plain, end = column.groups()
        if end is None:
            wrong = "is not closed within it" if quoted is None else "closes, but more than spaces follow"
            return Problem("", Reason.BAD_QUOTES, f"the quoted column at byte {column.start()} of the line {wrong}")
        texts.append(plain.strip(b" ") if quoted is None else quoted.replace(b'""', b'"'))
        if not end:
            break
    return texts


def _name(text: bytes) -> str:
    return text.decode(errors="replace").lower()


def _parse_columns(texts: dict[str, bytes]) -> Row | Problem:
    id_text = texts["id"]
    if not _ID.fullmatch(id_text):
        return Problem("id", Reason.BAD_UUID, f"{_shown(id_text)} is not a hyphenated UUID")
    price = _parse_price(texts["price"])
    if isinstance(price, Problem):
        return price
    expires = _parse_date(texts["expiration_date"])
    if isinstance(expires, Problem):
        return expires
    return Row(bytes.fromhex(id_text.replace(b"-", b"").decode()), price, expires)


def _parse_price(text: bytes) -> int | Problem:
    match = _PRICE.fullmatch(text)
    if match is None:
        return Problem("price", Reason.BAD_PRICE, f"{_shown(text)} is not a decimal number written like 60 or 60.68")
    sign, whole, places = match.group(1), match.group(2).lstrip(b"0"), (match.group(3) or b"").rstrip(b"0")
    if sign and (whole or places):
        return Problem("price", Reason.NEGATIVE_PRICE, f"{_shown(text)} is negative")
    if len(whole) > MAX_INTEGER_DIGITS:
        detail = f"{len(whole)} integer digits without leading zeros, at most {MAX_INTEGER_DIGITS}"
        return Problem("price", Reason.PRICE_RANGE, detail)
    if len(places) > MAX_PLACES:
        detail = f"{len(places)} decimal places without trailing zeros, at most {MAX_PLACES}"
        return Problem("price", Reason.PRICE_PRECISION, detail)
    return int(whole + places.ljust(MAX_PLACES, b"0"))


def _parse_date(text: bytes) -> int | Problem:
    match = _INSTANT.match(text)
    if match is None:
        return _bad_date(f"{_shown(text)} does not begin with a date and a time like 2018-08-04 05:32:31")
    tail = _read_tail(text[INSTANT_BYTES:])
    if isinstance(tail, Problem):
        return tail._replace(detail=f"{_shown(text)} {tail.detail}")
    try:
        instant = datetime.datetime(*map(int, match.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError as exc:
        return _bad_date(f"{_shown(text)}: {exc}")
    days = instant.toordinal() - POSTGRES_EPOCH_DAY
    seconds = days * SECONDS_OF_DAY + instant.hour * 3600 + instant.minute * 60 + instant.second
    expires_us = (seconds - tail.offset_seconds) * MILLION + tail.fraction_us
    if not FIRST_EXPIRY_US <= expires_us <= LAST_EXPIRY_US:
        return _bad_date(f"{_shown(text)} leaves the years 0001-9999 in UTC", Reason.DATE_RANGE)
    return expires_us


@lru_cache(1024)  # a file has few distinct ones
def _read_tail(tail: bytes) -> Tail | Problem:
    match = _TAIL.fullmatch(tail)
    if match is None:
        if _NO_OFFSET.fullmatch(tail):
            return _bad_date("has no offset like +0200 or Z")
        return _bad_date(
            "does not have the form of a time, perhaps a fraction, an offset like +0200 or Z, perhaps a name like CEST"
        )
    part = match.groupdict(b"0")
    if match["zone"] and match["zone"].upper() == b"BC":  # as PostgreSQL writes them; it is no zone
        return _bad_date("lies before the year 1", Reason.DATE_RANGE)
    hours, minutes, seconds = int(part["h"]), int(part["mm"]) or int(part["m"]), int(part["s"])
    if hours > 23 or minutes > 59 or seconds > 59:
        return _bad_date("has an offset of more than 23 hours, or of more than 59 minutes or seconds beside them")
    fraction_us = int((part["fraction"] + b"0" * FRACTION_DIGITS)[:FRACTION_DIGITS])
    offset_seconds = hours * 3600 + minutes * 60 + seconds
    return Tail(fraction_us, -offset_seconds if match["sign"] == b"-" else offset_seconds)


def _bad_date(detail: str, reason: Reason = Reason.BAD_DATE) -> Problem:
    return Problem("expiration_date", reason, detail)


def _shown(text: bytes) -> str:
    shown = text.decode(errors="backslashreplace")
    return repr(shown) if len(shown) <= _SHOWN_CHARACTERS else repr(shown[:_SHOWN_CHARACTERS]) + "..."
