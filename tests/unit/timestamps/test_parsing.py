"""Arrays of instants, as large as they may be."""

import json

import pytest

from common.errors import InvalidInput
from timestamps.errors import TooManyTimestamps
from timestamps.parsing import REPORTED_ERRORS, parse_instants

LONGEST = "2018-08-04T05:32:31.123456789+00:00"


def test_an_array_of_the_largest_size_fits_into_the_body() -> None:
    body = json.dumps([LONGEST] * 10_000).encode()
    assert len(body) < 2**20
    assert parse_instants(body) == ["2018-08-04T05:32:31.123456Z"] * 10_000


def test_one_more_is_too_many_whatever_it_is() -> None:
    with pytest.raises(TooManyTimestamps):
        parse_instants(json.dumps([7] * 10_001).encode())


def test_the_first_errors_of_many_are_named() -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_instants(json.dumps([LONGEST] + [7] * 9_999).encode())
    assert [error.field for error in raised.value.errors] == [f"[{index}]" for index in range(1, REPORTED_ERRORS + 1)]
