"""Metrics of batches, asked at each scrape: exact after restarts, and the same from every process."""

from collections.abc import Iterator

from django.db.models import Count, Min, Sum
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from rates.models import BATCH_ACTIVE, BatchChunk, PriceBatch


def batch_metrics() -> Iterator[Metric]:
    """Raises: DatabaseError: the database is down; the scrape then leaves these metrics out."""
    yield _rows()
    waiting = PriceBatch.objects.filter(status__in=BATCH_ACTIVE).aggregate(count=Count("id"), oldest=Min("created_at"))
    age_seconds = (timezone.now() - waiting["oldest"]).total_seconds() if waiting["oldest"] else 0.0
    yield GaugeMetricFamily("floodgate_price_batches_waiting", "Batches that are not done.", waiting["count"])
    yield GaugeMetricFamily("floodgate_price_batch_age_seconds", "Age of the oldest of them.", age_seconds)


def _rows() -> Metric:
    """Chunks commit with their counts, so the sums are of rows that are really there or really refused."""
    family = CounterMetricFamily("floodgate_price_batch_rows", "Rows of all batches by outcome.", labels=["outcome"])
    sums = BatchChunk.objects.aggregate(
        applied=Sum("rows_applied", default=0), rejected=Sum("rows_rejected", default=0)
    )
    for outcome, rows in sums.items():
        family.add_metric([outcome], rows)
    return family
