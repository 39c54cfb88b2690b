"""The ECB's rates as shipped, loaded by the command that every start runs; and what the outlier filter keeps out."""

from datetime import date, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from pytest_django import Settings

from rates.exchange.ecb import EuropeanCentralBank
from rates.exchange.errors import OutlierNotFound, RateImpossible
from rates.exchange.storing import accept_outlier, store_rates
from rates.exchange.types import DayRates
from rates.models import DoubtfulRate, ExchangeRate

pytestmark = pytest.mark.django_db
LAST = date(2026, 10, 30)
MONDAY = date(2026, 10, 26)
Row = tuple[str, str, Decimal]


def load(*arguments: str) -> str:
    said = StringIO()
    call_command("load_exchange_rates", *arguments, stdout=said, stderr=said)
    return said.getvalue()


def stored() -> list[Row]:
    rows = ExchangeRate.objects.order_by("rate_on", "currency").values_list("currency", "rate_on", "usd_per_unit")
    return [(currency, str(rate_on), rate) for currency, rate_on, rate in rows]


def kept_outliers() -> list[Row]:
    rows = DoubtfulRate.objects.order_by("rate_on", "currency").values_list("currency", "rate_on", "usd_per_unit")
    return [(currency, str(rate_on), rate) for currency, rate_on, rate in rows]


def say(day: date, provider: str = "ecb", **rates: str) -> list[str]:
    """Store a day's rates; what was kept out, each with the reason."""
    given = {currency: Decimal(rate) for currency, rate in rates.items()}
    return [
        f"{outlier.currency}: {outlier.reason}" for outlier in store_rates([DayRates(provider, day, given)]).outliers
    ]


def test_shipped_rates_are_crossed_over_the_euro(settings: Settings) -> None:
    settings.ECB_RATES_FROM = date(2026, 10, 29)
    assert load() == "2 days, 58 rates stored, 0 in doubt\n"
    rates = {(currency, day): rate for currency, day, rate in stored()}
    assert rates["EUR", "2026-10-30"] == Decimal("1.1172")
    assert rates["GBP", "2026-10-30"] == Decimal("1.339889661789")  # 1.1172 / 0.8338, half-up at 12 places
    assert rates["JPY", "2026-10-29"] == Decimal("0.006326739427")  # 1.113 / 175.92
    assert "USD" not in {currency for currency, _, _ in stored()}


def test_load_goes_on_behind_what_is_there(settings: Settings) -> None:
    settings.ECB_RATES_FROM = MONDAY
    load("--to", "2026-10-27")
    assert load() == "3 days, 87 rates stored, 0 in doubt\n"
    assert load() == "0 days, 0 rates stored, 0 in doubt\n"
    assert load("--from", "2026-10-26") == "5 days, 0 rates stored, 0 in doubt\n"


def test_all_shipped_days_pass_the_outlier_filter() -> None:
    """Only the years with jumps: 1999 to 2001 (TRL), 2008 (ISK) and the last one."""
    shipped = EuropeanCentralBank()
    for first, last in (
        (date.min, date(2001, 12, 31)),
        (date(2008, 1, 1), date(2009, 1, 31)),
        (date(2026, 1, 1), LAST),
    ):
        days = list(shipped.rates_between(first, last))
        assert store_rates(days).outliers == []
        assert [day.rate_on for day in days] == sorted({day.rate_on for day in days})
    assert days[-1].rate_on == LAST


@pytest.mark.parametrize("rate", ["0", "-1", "1000000000000"])
def test_rate_that_is_none_is_kept_out(rate: str) -> None:
    assert say(MONDAY, EUR=rate, GBP="1.3") == ["EUR: It is not above 0 and below 1,000,000,000,000."]
    assert stored() == [("GBP", "2026-10-26", Decimal("1.3"))]
    assert kept_outliers() == [("EUR", "2026-10-26", Decimal(rate))]


def test_rate_of_the_future_is_kept_out() -> None:
    tomorrow = date.today() + timedelta(2)  # noqa: DTZ011  # two days: whatever the hour
    assert "in the future" in say(tomorrow, EUR="1.1")[0]
    assert stored() == []


def test_jump_is_kept_out_and_named() -> None:
    say(MONDAY, EUR="1.1")
    kept_out = say(MONDAY + timedelta(1), EUR="11", GBP="1.3")
    assert kept_out == ["EUR: It differs 10.0 times from the last known rate, 1.1 of 2026-10-26."]
    assert say(MONDAY + timedelta(2), EUR="0.11") != []
    assert say(MONDAY + timedelta(3), EUR="2.19") == []
    assert say(MONDAY + timedelta(4), EUR="1.0951") == []
    assert [rate for currency, _, rate in stored() if currency == "EUR"] == [
        Decimal(rate) for rate in ("1.1", "2.19", "1.0951")
    ]


def test_rate_is_compared_with_those_of_other_providers() -> None:
    say(MONDAY, EUR="1.1")
    assert say(MONDAY + timedelta(1), "openexchangerates", EUR="0.5") != []


def test_rate_is_not_compared_with_one_of_long_ago() -> None:
    say(MONDAY - timedelta(46), EUR="1.1")
    assert say(MONDAY, EUR="11") == []


def test_believed_rate_is_an_outlier_no_longer() -> None:
    say(MONDAY, EUR="1.1")
    say(MONDAY + timedelta(1), EUR="11")
    say(MONDAY + timedelta(1), EUR="12")
    assert [rate for _, _, rate in kept_outliers()] == [Decimal(12)]
    say(MONDAY + timedelta(1), EUR="1.2")
    assert kept_outliers() == []


def test_accepted_jump_is_stored_with_what_follows_it() -> None:
    for number, rate in enumerate(["1", "10", "11", "50", "12", "1.1"]):
        say(MONDAY + timedelta(number), SYP=rate)
    assert [rate for _, _, rate in kept_outliers()] == [10, 11, 50, 12]
    report = accept_outlier(DoubtfulRate.objects.get(usd_per_unit=10).pk)
    assert (report.stored, len(report.outliers)) == (3, 1)
    assert [rate for _, _, rate in kept_outliers()] == [50]
    assert [rate for _, _, rate in stored()] == [1, 10, 11, 12, Decimal("1.1")]


def test_what_can_be_no_rate_is_not_accepted() -> None:
    say(MONDAY, SYP="0")
    outlier = DoubtfulRate.objects.get()
    with pytest.raises(RateImpossible, match="not above 0"):
        accept_outlier(outlier.pk)
    with pytest.raises(OutlierNotFound):
        accept_outlier(outlier.pk + 1)
    assert (stored(), len(kept_outliers())) == ([], 1)


def test_database_refuses_what_is_no_rate() -> None:
    for wrong in ({"usd_per_unit": 0}, {"usd_per_unit": -1}, {"currency": "USD"}):
        row = {"currency": "EUR", "rate_on": MONDAY, "provider": "ecb", "usd_per_unit": 1} | wrong
        with pytest.raises(IntegrityError), transaction.atomic():
            ExchangeRate.objects.create(**row)


def test_command_says_what_it_needs() -> None:
    with pytest.raises(CommandError, match="--from"):
        load("--provider", "openexchangerates")
    with pytest.raises(CommandError, match="--to must not be after today"):
        load("--to", "2999-01-01")
    with pytest.raises(CommandError, match="invalid fromisoformat value"):
        load("--from", "2026-02-30")
