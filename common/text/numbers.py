"""Numbers exactly as they were written, through float nowhere. Zero has no sign: ``-0.0`` is 0."""

import re
from decimal import Decimal

_DIGITS = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)


def exact_decimal(text: str) -> Decimal:
    """Raises decimal.InvalidOperation."""
    number = Decimal(text)
    return number if number else number.copy_abs()


def number_in(text: str) -> int | Decimal | str:
    """The number that a query or a CSV has as text; ``text`` itself where it is none.

    Digits and a point only: a spreadsheet's ``1.2E+05`` has lost digits that nobody meant to round.
    """
    match = _DIGITS.fullmatch(text)
    if match is None:
        return text
    return exact_decimal(text) if match[1] else int(text)
