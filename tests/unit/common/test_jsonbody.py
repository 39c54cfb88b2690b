"""JSON bodies."""

from decimal import Decimal
from typing import Any

import pytest

from common.errors import InvalidInput
from common.text.jsonbody import load_json


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1.50}', {"a": Decimal("1.50")}),
        (b"\xef\xbb\xbf\r\n[]", []),
        (b"-0.0", Decimal("0.0")),
        (b"-0.00", Decimal("0.00")),
        (b"-0e5", Decimal("0e5")),
        (b"-0", 0),
        (b"-1e-30", Decimal("-1e-30")),
    ],
)
def test_mark_in_front_is_passed_over_and_zero_has_no_sign(body: bytes, value: Any) -> None:
    assert str(load_json(body)) == str(value)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "Is empty"),
        (b"\xef\xbb\xbf", "Is empty"),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "Is no JSON"),
        (b"{}\xef\xbb\xbf", "Is no JSON"),
        (b"\xff\xfe{\0}\0", "Must be UTF-8"),
        (b"NaN", "Has NaN"),
        (b'{"a": 1, "a": 1}', "Comes twice"),
    ],
)
def test_anything_else_is_refused_with_the_reason(body: bytes, detail: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_json(body)
    assert caught.value.errors[0].detail.startswith(detail)
