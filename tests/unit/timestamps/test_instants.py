"""One text per instant, as the log keeps it."""

from datetime import UTC, datetime, timedelta

from common.text.rfc3339 import read_instant
from timestamps.instants import canonical_instant, now


def test_an_instant_is_kept_in_utc_with_microseconds_where_there_are_any() -> None:
    assert canonical_instant("2018-08-04t05:32:31.1234567+02:00") == "2018-08-04T03:32:31.123456Z"
    assert canonical_instant("2018-08-04T05:32:31.000000000+02:00") == "2018-08-04T03:32:31Z"
    assert canonical_instant("0001-01-01T00:00:00Z") == "0001-01-01T00:00:00Z"


def test_now_is_an_instant_as_it_is_kept() -> None:
    text = now()
    assert canonical_instant(text) == text
    assert abs(read_instant(text) - datetime.now(UTC)) < timedelta(seconds=5)
