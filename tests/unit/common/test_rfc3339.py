"""RFC 3339 into instants."""

import re
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.text.exactjson import rfc3339
from common.text.rfc3339 import _USUAL, NotAnInstant, _read_parts, read_instant

OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2018-08-04T05:32:31+02:00", "2018-08-04T03:32:31Z"),
        ("2018-08-04t05:32:31z", "2018-08-04T05:32:31Z"),
        ("2018-08-04T05:32:31-00:00", "2018-08-04T05:32:31Z"),
        ("2018-08-04T05:32:31.5Z", "2018-08-04T05:32:31.500000Z"),
        ("2018-08-04T05:32:31.123456Z", "2018-08-04T05:32:31.123456Z"),
        ("2018-08-04T05:32:31.123456999Z", "2018-08-04T05:32:31.123456Z"),
        ("2018-08-04T05:32:31.000000000Z", "2018-08-04T05:32:31Z"),
        ("2018-08-04T05:32:31.1234567890123456789Z", "2018-08-04T05:32:31.123456Z"),
        ("2020-02-29T23:59:59-23:59", "2020-03-01T23:58:59Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("0000-12-31T23:59:59.999999-00:01", "0001-01-01T00:00:59.999999Z"),
        ("0000-12-31T00:00:00-23:59", None),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"),
        ("9999-12-31T23:59:59+00:01", "9999-12-31T23:58:59Z"),
        ("9999-12-31T23:59:59-00:01", None),
        ("0001-01-01T00:00:00+00:01", None),
        ("0000-06-01T00:00:00Z", None),
    ],
)
def test_an_instant_is_read_in_utc_if_it_is_within_the_years_1_to_9999(text: str, instant: str | None) -> None:
    if instant is None:
        with pytest.raises(NotAnInstant, match="years 0001 to 9999"):
            read_instant(text)
    else:
        assert rfc3339(read_instant(text)) == instant


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=OFFSETS))  # noqa: DTZ001
def test_every_instant_comes_back_equal(instant: datetime) -> None:
    read = read_instant(instant.isoformat())
    assert (read, read.utcoffset()) == (instant, timedelta())
    assert read_instant(rfc3339(read)) == read


@given(st.from_regex(_USUAL, fullmatch=True))
def test_the_short_way_reads_as_the_long_one(text: str) -> None:
    try:
        expected = _read_parts(text)
    except NotAnInstant as error:
        with pytest.raises(NotAnInstant, match=re.escape(str(error))):
            read_instant(text)
    else:
        assert (read_instant(text), read_instant(text).utcoffset()) == (expected, timedelta())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2016-12-31T23:59:60Z", "leap second"),
        ("2016-12-31T23:59:60.5+01:00", "leap second"),
        ("2018-08-04T05:32:61Z", "second must be in"),
        ("2018-02-29T00:00:00Z", "day"),
        ("2018-13-01T00:00:00Z", "month"),
        ("2018-08-04T24:00:00Z", "hour"),
        ("2018-08-04T05:32:31+24:00", "offset"),
        ("2018-08-04T05:32:31+01:60", "offset"),
        ("2018-08-04T05:32:31", "RFC 3339"),
        ("2018-08-04T05:32:31 02:00", "In a query"),
        ("2018-08-04 05:32:31Z", "RFC 3339"),
        ("2018-08-04T05:32Z", "RFC 3339"),
        ("2018-08-04T05:32:31.Z", "RFC 3339"),
        ("2018-08-04T05:32:31,5Z", "RFC 3339"),
        ("2018-08-04T05:32:31+0200", "RFC 3339"),
        ("20180804T053231Z", "RFC 3339"),
        ("12018-08-04T05:32:31Z", "RFC 3339"),
        ("-2018-08-04T05:32:31Z", "RFC 3339"),
        ("٢٠١٨-08-04T05:32:31Z", "RFC 3339"),
        ("2018-08-04T05:32:31Z\n", "RFC 3339"),
        ("", "RFC 3339"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(NotAnInstant, match=reason):
        read_instant(text)
