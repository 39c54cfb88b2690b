"""One text per instant, as the log keeps it: UTC, ``Z``, microseconds where there are any."""

from datetime import UTC, datetime

from common.text.rfc3339 import read_instant


def canonical_instant(text: str) -> str:
    """The instant in UTC, cut to the microsecond, like ``2018-08-04T03:32:31.123456Z``. Raises NotAnInstant."""
    return _text(read_instant(text))


def now() -> str:
    """This moment, as ``canonical_instant`` writes it."""
    return _text(datetime.now(UTC))


def _text(utc: datetime) -> str:
    return utc.isoformat().removesuffix("+00:00") + "Z"
