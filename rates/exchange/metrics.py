"""Metrics of exchange rates, asked at each scrape."""

from collections.abc import Iterator

from django.db.models import Max
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from rates.models import DoubtfulRate, ExchangeRate


def exchange_metrics() -> Iterator[Metric]:
    """Raises: DatabaseError: the database is down; the scrape then leaves these metrics out."""
    euro = ExchangeRate.objects.filter(currency="EUR")  # every provider has it, and an index finds it
    newest = euro.values_list("provider").annotate(Max("rate_on")).order_by("provider")
    ages = GaugeMetricFamily(
        "floodgate_exchange_rates_age_seconds", "Since the day of the newest rate of a provider.", labels=["provider"]
    )
    today = timezone.now().date()
    for provider, rate_on in newest:
        ages.add_metric([provider], (today - rate_on).total_seconds())
    yield ages
    outliers = DoubtfulRate.objects.count()
    yield GaugeMetricFamily("floodgate_exchange_rates_in_doubt", "Rates that the outlier filter keeps out.", outliers)
