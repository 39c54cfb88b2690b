"""Instants as they come over the wire: RFC 3339 in full, read by every door the same way.

``datetime.fromisoformat`` takes other forms of ISO 8601 too, and knows neither year 0000, which an offset may move into
0001, nor what more than six digits of a second are.
"""

import re
from datetime import UTC, datetime, timedelta

EXAMPLE_INSTANT = "2018-08-04T05:32:31.123456+02:00"
_FORM = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)
# Which ``fromisoformat`` reads the same; what it refuses is looked at part by part, to say why.
_USUAL = re.compile(
    r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_PLUS_LOST = re.compile(r".* \d\d:\d\d", re.ASCII)
_CYCLE_YEARS = 400  # of the calendar; datetime has no year 0, but 400 is just like it


class NotAnInstant(ValueError):
    """Says what is wrong and what would be right."""


def read_instant(text: str) -> datetime:
    """The instant in UTC, cut to the microsecond: what systems with nanoseconds send is taken, and never rounded up.

    Raises: NotAnInstant.
    """
    if _USUAL.fullmatch(text):
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    return _read_parts(text)


def _read_parts(text: str) -> datetime:
    match = _FORM.fullmatch(text)
    if match is None:
        raise NotAnInstant(_no_form(text))
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    if second == 60:
        raise NotAnInstant("Is a leap second (:60), which has no place here; send second 59 or the next minute's 00.")
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    offset, microsecond = _offset(sign, offset_hours, offset_minutes), int((fraction or "")[:6].ljust(6, "0"))
    try:
        local = datetime(year or _CYCLE_YEARS, month, day, hour, minute, second, microsecond, UTC)
    except ValueError as exc:
        raise NotAnInstant(f"Is no time of the calendar: {exc}.") from exc
    return _in_utc(local, offset, is_year_0=year == 0)


def _no_form(text: str) -> str:
    sentence = f"Must be a date-time of RFC 3339 like {EXAMPLE_INSTANT}, with an offset or Z."
    return f"{sentence} In a query + is sent as %2B." if _PLUS_LOST.fullmatch(text) else sentence


def _offset(sign: str | None, hours: str, minutes: str) -> timedelta:
    if sign is None:
        return timedelta()
    if hours > "23" or minutes > "59":
        raise NotAnInstant("Has an offset out of range: hours go to 23, minutes to 59.")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return -offset if sign == "-" else offset


def _in_utc(local: datetime, offset: timedelta, *, is_year_0: bool) -> datetime:
    try:
        utc = local - offset
    except OverflowError:
        utc = None
    if utc is not None and is_year_0:
        utc = utc.replace(year=utc.year - _CYCLE_YEARS) if utc.year > _CYCLE_YEARS else None
    if utc is None:
        raise NotAnInstant("Is outside of the years 0001 to 9999 in UTC.")
    return utc
