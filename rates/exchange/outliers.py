"""The outlier filter: a rate that does not look right is kept beside, with the reason, for people to judge."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from rates.exchange.decimals import RATE_MAX
from rates.exchange.types import DayRates, Known, Outlier

# A day's worst in 27 years of the ECB's data was 1.7 (TRL, 2001-02-22); a slipped decimal point is 10.
MOST_CHANGE = 2
# An older rate says too little about today's.
COMPARED_DAYS = 45


def filter_outliers(days: Sequence[DayRates], known: dict[str, Known]) -> tuple[list[DayRates], list[Outlier]]:
    """Split rates into those to believe and outliers.

    Args: days: of one provider, in order.
          known: the last rate of each currency before the first day; those believed here are added.
    """
    today = datetime.now(UTC).date()
    believed, outliers = [], []
    for day in days:
        good = {}
        for currency, rate in day.usd_per_unit.items():
            if reason := outlier_reason(day.rate_on, rate, known.get(currency), today):
                outliers.append(Outlier(day.provider, currency, day.rate_on, rate, reason))
            else:
                good[currency] = rate
                known[currency] = Known(rate, day.rate_on)
        believed.append(day._replace(usd_per_unit=good))
    return believed, outliers


def outlier_reason(rate_on: date, rate: Decimal, known: Known | None, today: date) -> str:
    """Why the rate is not believed; empty when it is."""
    if reason := impossible(rate_on, rate, today):
        return reason
    if known and rate_on - known.rate_on <= timedelta(COMPARED_DAYS):
        return _jump(rate, known)
    return ""


def impossible(rate_on: date, rate: Decimal, today: date) -> str:
    """Why this can be no rate, whatever was before; empty when it can."""
    if not 0 < rate < RATE_MAX:
        return f"It is not above 0 and below {RATE_MAX:,}."
    return f"Its day is in the future: today is {today}." if rate_on > today else ""


def _jump(rate: Decimal, known: Known) -> str:
    if known.usd_per_unit < rate * MOST_CHANGE and rate < known.usd_per_unit * MOST_CHANGE:
        return ""
    change = max(rate / known.usd_per_unit, known.usd_per_unit / rate)
    return f"It differs {change:.1f} times from the last known rate, {known.usd_per_unit:f} of {known.rate_on}."
