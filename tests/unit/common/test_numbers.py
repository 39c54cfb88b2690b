"""Numbers as text."""

from decimal import Decimal

import pytest

from common.text.numbers import number_in


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-0", 0),
        ("-0.0", Decimal("0.0")),
        ("-0.00", Decimal("0.00")),
        ("007.50", Decimal("7.50")),
        ("-7", -7),
        ("99999999999999.99", Decimal("99999999999999.99")),
        *((text, text) for text in ("", "1e3", "+1", ".5", "5.", "1,5", "1_0", " 1", "NaN", "٣", "0x1", "9" * 31)),
    ],
)
def test_digits_are_a_number_and_the_rest_stays_text(text: str, number: object) -> None:
    found = number_in(text)
    assert (type(found), str(found)) == (type(number), str(number))
