"""Exact arithmetic with rates: nothing is rounded but where it is written down here, and half-up.

A rate has 12 places. The context holds any product of an amount and a rate whole.
"""

from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_UP, Context, Decimal

_EXACT = Context(prec=60, rounding=ROUND_HALF_UP, Emin=MIN_EMIN, Emax=MAX_EMAX)
RATE_MAX = Decimal(10**12)
_RATE_STEP, _CENT = Decimal("1e-12"), Decimal("0.01")


def usd_per_unit(usd: Decimal, units: Decimal) -> Decimal:
    """The rate at which ``units`` are worth ``usd``, rounded half-up to 12 places.

    What is no rate stays recognisable: 0 where one of them is not positive, RATE_MAX where it would be more.
    """
    if usd <= 0 or units <= 0:
        return Decimal(0)
    return min(_EXACT.divide(usd, units), RATE_MAX).quantize(_RATE_STEP, context=_EXACT)


def price_usd(amount: Decimal, rate: Decimal) -> Decimal:
    """``amount`` times ``rate``, rounded once, half-up to cents."""
    return _EXACT.multiply(amount, rate).quantize(_CENT, context=_EXACT)
