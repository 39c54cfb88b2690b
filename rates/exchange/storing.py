"""The only writer of exchange rates: what the outlier filter believes goes into the table, the rest beside it."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

from django.db import connection, transaction

from common.stores.sqlfiles import load_sql
from rates.exchange.errors import OutlierNotFound, RateImpossible
from rates.exchange.locks import lock_loading
from rates.exchange.lookup import Wanted, last_known
from rates.exchange.outliers import filter_outliers, impossible
from rates.exchange.types import DayRates, Known, LoadReport, Outlier, Provider
from rates.models import DoubtfulRate

_SQL = load_sql(Path(__file__).parents[1] / "sql" / "exchange.sql")


def load_rates(provider: Provider, first: date, last: date) -> LoadReport:
    """Store a provider's rates of these days, in order; those that are there already are replaced.

    Raises: RatesUnavailable, DatabaseError: the days before are stored.
    """
    report, rest = LoadReport(0, 0, []), provider.rates_between(first, last)
    while part := list(islice(rest, provider.days_at_once)):
        report = report.plus(store_rates(part))
    return report


def store_rates(days: Sequence[DayRates]) -> LoadReport:
    """Judge rates of one provider, given in the order of their days, and keep each where it belongs; all or none."""
    with transaction.atomic():
        lock_loading()
        believed, outliers = filter_outliers(days, _known_before(days))
        stored = _store(believed)
        _keep_outliers(outliers)
    return LoadReport(len(days), stored, outliers)


def accept_outlier(outlier_id: int) -> LoadReport:
    """Believe a rate that differs too much, because a person says so; then judge later ones of its currency again.

    Returns: what is stored now, and the outliers that remain.
    Raises:  OutlierNotFound; RateImpossible: it is not above 0, or of a day in the future.
    """
    with transaction.atomic():
        lock_loading()
        accepted = DoubtfulRate.objects.filter(pk=outlier_id).first()
        if accepted is None:
            raise OutlierNotFound
        if reason := impossible(accepted.rate_on, accepted.usd_per_unit, datetime.now(UTC).date()):
            raise RateImpossible(reason)
        known = {accepted.currency: Known(accepted.usd_per_unit, accepted.rate_on)}
        believed, outliers = filter_outliers([_day(row) for row in _later(accepted)], known)
        stored = _store([_day(accepted), *believed])
        _keep_outliers(outliers)
    return LoadReport(1 + len(believed), stored, outliers)


def _later(accepted: DoubtfulRate) -> Iterable[DoubtfulRate]:
    rows = DoubtfulRate.objects.filter(currency=accepted.currency, provider=accepted.provider)
    return rows.filter(rate_on__gt=accepted.rate_on).order_by("rate_on")


def _day(row: DoubtfulRate) -> DayRates:
    return DayRates(row.provider, row.rate_on, {row.currency: row.usd_per_unit})


def _known_before(days: Sequence[DayRates]) -> dict[str, Known]:
    before = days[0].rate_on - timedelta(1)
    wanted = [Wanted(currency, before) for currency in {code for day in days for code in day.usd_per_unit}]
    return {pair.currency: known for pair, known in last_known(wanted).items()}


def _store(days: Sequence[DayRates]) -> int:
    """How many rates are new or changed."""
    _stage(
        Outlier(day.provider, currency, day.rate_on, rate, "")
        for day in days
        for currency, rate in day.usd_per_unit.items()
    )
    stored = _run("store_rates")
    _run("forget_outliers")
    return stored


def _keep_outliers(outliers: Collection[Outlier]) -> None:
    if outliers:
        _stage(outliers)
        _run("keep_outliers")


def _stage(rates: Iterable[Outlier]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_SQL["make_stage"])
        with connection.wrap_database_errors, cursor.copy(_SQL["fill_stage"]) as copy:
            copy.write("".join(map(_line, rates)))


def _line(rate: Outlier) -> str:
    """Nothing in it needs an escape: codes are letters, and reasons are our own sentences."""
    return f"{rate.currency}\t{rate.rate_on}\t{rate.provider}\t{rate.usd_per_unit}\t{rate.reason}\n"


def _run(name: str) -> int:
    """Number of rows that the statement changed."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL[name])
        return int(cursor.rowcount)
