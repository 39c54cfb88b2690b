"""Arithmetic of exchange rates."""

from decimal import Decimal

import pytest

from rates.exchange.decimals import RATE_MAX, usd_per_unit


@pytest.mark.parametrize(("units", "rate"), [("1e-2000000", RATE_MAX), ("1e2000000", Decimal(0)), ("0", Decimal(0))])
def test_what_is_no_rate_stays_recognisable_whatever_its_exponent(units: str, rate: Decimal) -> None:
    assert usd_per_unit(Decimal(1), Decimal(units)) == rate
