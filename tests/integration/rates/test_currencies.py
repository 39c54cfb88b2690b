"""Conversion to USD: which rate counts, exact arithmetic, and what is no conversion."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from common.errors import InvalidInput
from gateway.contract.problems import problem_reply
from rates.exchange.decimals import price_usd, usd_per_unit
from rates.exchange.errors import NoExchangeRate
from rates.models import ExchangeRate
from rates.prices.currencies import convert
from rates.types import Converted, Money, Provenance

pytestmark = pytest.mark.django_db
FRIDAY = date(2026, 10, 30)


def rate(currency: str, usd: str, on: date = FRIDAY, provider: str = "ecb") -> None:
    ExchangeRate.objects.create(currency=currency, rate_on=on, provider=provider, usd_per_unit=Decimal(usd))


def money(amount: str, currency: str = "EUR", on: date = FRIDAY) -> Money:
    return Money(Decimal(amount), currency, on)


def converted(amount: str, currency: str = "EUR", on: date = FRIDAY) -> Converted:
    (found,) = convert([money(amount, currency, on)])
    assert isinstance(found, Converted), found
    return found


def refused(amount: str, currency: str = "EUR", on: date = FRIDAY) -> tuple[str, str]:
    """Field and sentence of the refusal, as a client reads them."""
    (found,) = convert([money(amount, currency, on)])
    if isinstance(found, InvalidInput):
        return found.errors[0].field, found.errors[0].detail
    assert isinstance(found, NoExchangeRate)
    error = found.members()["errors"][0]
    return error["field"], error["detail"]


def test_amount_is_converted_with_its_provenance() -> None:
    rate("EUR", "1.1172")
    assert converted("1234.56") == Converted(
        Decimal("1379.25"), Provenance(Decimal("1234.56"), "EUR", Decimal("1.1172"), FRIDAY, "ecb")
    )


def test_usd_needs_no_rate() -> None:
    assert converted("12.5", "USD") == Converted(Decimal("12.50"), None)


@pytest.mark.parametrize(
    ("amount", "usd"), [("0.005", "0.01"), ("0.0149", "0.01"), ("0.015", "0.02"), ("0.025", "0.03")]
)
def test_half_a_cent_is_rounded_up(amount: str, usd: str) -> None:
    rate("EUR", "1")
    assert [converted(amount, currency).price_usd for currency in ("EUR", "USD")] == [Decimal(usd)] * 2


@given(
    st.decimals("0.000001", "99999999", places=6),
    st.decimals("0.000000000001", "1000", places=12),
)
def test_arithmetic_is_exact(amount: Decimal, usd: Decimal) -> None:
    cents = Fraction(amount) * Fraction(usd) * 100
    assert price_usd(amount, usd) == Decimal(int(cents + Fraction(1, 2))) / 100
    crossed = Fraction(usd) / Fraction(amount) * 10**12
    assert usd_per_unit(usd, amount) == min(Decimal(int(crossed + Fraction(1, 2))).scaleb(-12), Decimal(10**12))


def test_last_rate_on_or_before_the_day_counts() -> None:
    rate("EUR", "1.1", FRIDAY - timedelta(1))
    rate("EUR", "1.2", FRIDAY)
    rate("EUR", "1.3", FRIDAY + timedelta(3))
    found = {day: converted("100", on=FRIDAY + timedelta(day)).price_usd for day in (-1, 0, 1, 2, 3)}
    assert found == {-1: 110, 0: 120, 1: 120, 2: 120, 3: 130}


def test_rate_is_too_old_after_45_days() -> None:
    rate("EUR", "1.1")
    assert converted("100", on=FRIDAY + timedelta(45)).price_usd == 110
    assert refused("100", on=FRIDAY + timedelta(46)) == (
        "currency",
        "There is no exchange rate for EUR that holds on 2026-12-15; the last one is of 2026-10-30, 46 days before. "
        "A price in USD needs none.",
    )


def test_each_provider_has_an_age_of_its_own(settings: Settings) -> None:
    rate("EUR", "1.1", FRIDAY - timedelta(20), "ecb")
    rate("EUR", "1.2", FRIDAY, "openexchangerates")
    assert converted("100", on=FRIDAY + timedelta(7)).price_usd == 120
    assert converted("100", on=FRIDAY + timedelta(8)).price_usd == 110
    settings.EXCHANGE_RATE_MAX_AGE_DAYS = {"openexchangerates": 8, "ecb": 1}
    assert converted("100", on=FRIDAY + timedelta(8)).price_usd == 120


def test_of_one_day_the_provider_that_was_subscribed_to_counts() -> None:
    rate("EUR", "1.1", provider="ecb")
    rate("EUR", "1.2", provider="openexchangerates")
    rate("GBP", "1.3", provider="openexchangerates")
    rate("GBP", "1.4", FRIDAY + timedelta(1), provider="ecb")
    found = converted("1", "EUR", FRIDAY + timedelta(1)), converted("1", "GBP", FRIDAY + timedelta(1))
    assert [each.provenance and each.provenance.provider for each in found] == ["openexchangerates", "ecb"]


def test_known_currency_without_a_rate_is_no_unknown_one() -> None:
    rate("EUR", "1.1")
    rate("ABC", "1")
    assert refused("1", "AED")[1].startswith("There is no exchange rate for AED that holds on 2026-10-30; nor an older")
    assert refused("1", "EUR", date(1998, 12, 31))[1].startswith("There is no exchange rate for EUR")
    assert refused("1", "XYZ") == ("currency", "Is no currency: a code of ISO 4217 is needed, like EUR.")
    assert refused("1", "eur")[1].startswith("Is no currency")
    assert refused("1", "ABC", FRIDAY + timedelta(365))[1].startswith("There is no exchange rate for ABC")


def test_answers_are_problems_with_the_field_named() -> None:
    unknown, missing = convert([money("1", "XYZ"), money("1", "AED")])
    assert isinstance(unknown, InvalidInput)
    assert isinstance(missing, NoExchangeRate)
    assert (problem_reply(unknown, "").status, problem_reply(missing, "").status) == (400, 422)
    assert b'"errors": [{"field": "currency", "detail": "There is no' in problem_reply(missing, "").body


def test_result_that_is_no_price_is_refused() -> None:
    rate("EUR", "0.001")
    rate("GBP", "1000")
    assert refused("4.99", "EUR") == ("price", "Is 0.00 USD; it must be at least 0.01 and below 10,000,000,000 USD.")
    assert refused("10000000", "GBP")[1].startswith("Is 10,000,000,000.00 USD")
    assert converted("9999999.99", "GBP").price_usd == Decimal("9999999990.00")
    assert refused("10000000000", "USD")[0] == "price"
    for amount in ("0", "-1", "1e14", "1e400"):
        assert refused(amount, "EUR")[1] == "Must be above 0 and below 100,000,000,000,000."


def test_many_amounts_take_two_statements_and_keep_their_order() -> None:
    rate("EUR", "2", FRIDAY - timedelta(30))
    amounts = [
        money(str(number), code, FRIDAY - timedelta(number % 30)) for number in range(1, 400) for code in ("EUR", "AED")
    ]
    with CaptureQueriesContext(connection) as queries:
        found = convert(amounts)
    assert len(queries) == 2
    for asked, answer in zip(amounts, found, strict=True):
        if asked.currency == "EUR":
            assert isinstance(answer, Converted)
            assert answer.price_usd == asked.amount * 2
        else:
            assert isinstance(answer, NoExchangeRate)
    assert convert([]) == []
