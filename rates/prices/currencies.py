"""Prices in other currencies become USD here, from the table of exchange rates; nothing here asks the network."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from common.errors import FieldError, InvalidInput
from rates.exchange.decimals import price_usd
from rates.exchange.errors import NoExchangeRate
from rates.exchange.iso4217 import CURRENCIES
from rates.exchange.lookup import Rate, Wanted, find_rates, last_known
from rates.models import AMOUNT_BELOW, PRICE_BELOW
from rates.types import Converted, Money, Provenance

BASE = "USD"


def convert(money: Sequence[Money]) -> list[Converted | InvalidInput | NoExchangeRate]:
    """What each amount is worth in USD: amount x rate, exactly, rounded once, half-up to cents.

    The rate is the newest on or before the day. USD needs none.

    Args:    money: N, any order; an amount has at most 6 places, as doors check.
    Returns: N in the order of ``money``. InvalidInput names ``currency`` where there is no such currency, and ``price``
             where what comes out is no price; NoExchangeRate is a currency without a rate that is young enough.
    Raises:  DatabaseError. At most two statements, however many amounts.
    Source:  docs/rates.md, "Currencies".
    """
    wanted = list({Wanted(each.currency, each.on): None for each in money if each.currency != BASE})
    found = find_rates(wanted)
    older = {pair: known.rate_on for pair, known in last_known([pair for pair in wanted if pair not in found]).items()}
    return [_converted(each, found, older) for each in money]


def _converted(
    money: Money, found: dict[Wanted, Rate], older: dict[Wanted, date]
) -> Converted | InvalidInput | NoExchangeRate:
    rate = None
    if money.currency != BASE:
        pair = Wanted(money.currency, money.on)
        rate = found.get(pair)
        if rate is None:
            return _without_rate(pair, older.get(pair))
    if not 0 < money.amount < AMOUNT_BELOW:
        return _no_price(f"Must be above 0 and below {AMOUNT_BELOW:,}.")
    price = price_usd(money.amount, rate.usd_per_unit if rate else Decimal(1))
    if not 0 < price < PRICE_BELOW:
        return _no_price(f"Is {price:,} USD; it must be at least 0.01 and below {PRICE_BELOW:,} USD.")
    return Converted(price, rate and Provenance(money.amount, money.currency, *rate))


def _without_rate(wanted: Wanted, last_on: date | None) -> InvalidInput | NoExchangeRate:
    if last_on or wanted.currency in CURRENCIES:
        return NoExchangeRate(wanted.currency, wanted.day, last_on)
    return InvalidInput(FieldError("currency", "Is no currency: a code of ISO 4217 is needed, like EUR."))


def _no_price(detail: str) -> InvalidInput:
    return InvalidInput(FieldError("price", detail))
