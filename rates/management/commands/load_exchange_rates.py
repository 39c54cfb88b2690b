"""``load_exchange_rates``: fill the table of exchange rates that conversions read."""

from argparse import ArgumentParser
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db.models import Max

from common.audit import AuditedCommand
from common.stores.guarded import DATABASE_AWAY
from rates.exchange.ecb import EuropeanCentralBank
from rates.exchange.errors import RatesUnavailable
from rates.exchange.openexchangerates import OpenExchangeRates
from rates.exchange.storing import load_rates
from rates.exchange.types import LoadReport, Provider
from rates.models import ExchangeRate

PROVIDERS: dict[str, type[Provider]] = {each.name: each for each in (EuropeanCentralBank, OpenExchangeRates)}


class Command(AuditedCommand):
    help = (
        "Load exchange rates: of the ECB as shipped, what is not there yet; of openexchangerates, days that you name."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--provider", choices=list(PROVIDERS), default=EuropeanCentralBank.name)
        parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DAY", help="Like 2026-01-31.")
        parser.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DAY", help="Included; today.")

    def handle(self, *args: Any, provider: str, first: date | None, last: date | None, **options: Any) -> None:
        today = datetime.now(UTC).date()
        if provider == OpenExchangeRates.name and not (settings.OPENEXCHANGERATES_APP_ID and first):
            raise CommandError("Set OPENEXCHANGERATES_APP_ID and name the first day with --from: a day is one request.")
        if last and last > today:
            raise CommandError(f"--to must not be after today, {today}.")
        report = _load(PROVIDERS[provider](), first, last or today)
        if options["verbosity"]:
            self._tell(report)

    def _tell(self, report: LoadReport) -> None:
        for outlier in report.outliers[:20]:
            self.stderr.write(
                f"kept out: {outlier.currency} on {outlier.rate_on}, {outlier.usd_per_unit:f}: {outlier.reason}"
            )
        self.stdout.write(f"{report.days:,} days, {report.stored:,} rates stored, {len(report.outliers):,} in doubt")


def _load(provider: Provider, first: date | None, last: date) -> LoadReport:
    try:
        return load_rates(provider, first or _after_last(provider), last)
    except RatesUnavailable as error:
        raise CommandError(
            f"{provider.name}: {error.detail} (The days before are stored; go on from there.)"
        ) from error
    except DATABASE_AWAY as error:
        raise CommandError(f"PostgreSQL does not answer; run it again: {error}") from error


def _after_last(provider: Provider) -> date:
    """What an interrupted load has not stored yet, or a newer package has brought."""
    last = ExchangeRate.objects.filter(provider=provider.name).aggregate(last=Max("rate_on"))["last"]
    return last + timedelta(1) if last else settings.ECB_RATES_FROM
