"""RFC 3339 in full, into one text per instant: UTC, ``Z``, microseconds where there are any.

``datetime.fromisoformat`` takes other forms of ISO 8601 too, and knows neither year 0000, which an offset may move into
0001, nor more than six digits of a second.
"""

import re
from datetime import UTC, datetime, timedelta

EXAMPLE_INSTANT = "2018-08-04T05:32:31.123456+02:00"
_FORM = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)
_SECOND_DIGITS = 9
_CYCLE_YEARS = 400  # of the calendar; datetime has no year 0, but 400 is just like it


class NotAnInstant(ValueError):
    """Says what is wrong and what would be right."""


def canonical_instant(text: str) -> str:
    """The instant in UTC, cut to the microsecond, like ``2018-08-04T03:32:31.123456Z``.

    Raises: NotAnInstant.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise NotAnInstant(f"Must be a date-time of RFC 3339 like {EXAMPLE_INSTANT}, with an offset or Z.")
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    if second == 60:
        raise NotAnInstant("Is a leap second (:60), which has no place here; send second 59 or the next minute's 00.")
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    offset, microsecond = _offset(sign, offset_hours, offset_minutes), _microsecond(fraction)
    try:
        local = datetime(year or _CYCLE_YEARS, month, day, hour, minute, second, microsecond, UTC)
    except ValueError as exc:
        raise NotAnInstant(f"Is no time of the calendar: {exc}.") from exc
    return _text(_in_utc(local, offset, is_year_0=year == 0))


def now() -> str:
    """This moment, as ``canonical_instant`` writes it."""
    return _text(datetime.now(UTC))


def _offset(sign: str | None, hours: str, minutes: str) -> timedelta:
    if sign is None:
        return timedelta()
    if hours > "23" or minutes > "59":
        raise NotAnInstant("Has an offset out of range: hours go to 23, minutes to 59.")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return -offset if sign == "-" else offset


def _microsecond(fraction: str | None) -> int:
    if fraction is None:
        return 0
    if len(fraction) > _SECOND_DIGITS:
        raise NotAnInstant(f"Has more than {_SECOND_DIGITS} digits of a second; microseconds are kept.")
    return int(fraction[:6].ljust(6, "0"))


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


def _text(utc: datetime) -> str:
    return utc.replace(tzinfo=None).isoformat() + "Z"
