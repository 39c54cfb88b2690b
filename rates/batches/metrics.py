"""Metrics of batches, asked at each scrape: exact after restarts, and the same from every process."""

from collections.abc import Iterator

from django.db import connection
from django.db.models import Count, Min
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from common.ages import age_seconds
from rates.models import BATCH_ACTIVE, PriceBatch

# One statement: what pruning moves from chunks to the totals is in one of the two, never in both.
_OUTCOMES = """
SELECT coalesce(sum(rows_applied), 0), coalesce(sum(rows_rejected), 0) FROM (
    SELECT rows_applied, rows_rejected FROM rates_batchchunk
    UNION ALL
    SELECT rows_applied, rows_rejected FROM rates_prunedtotals
) AS counted
"""


def batch_metrics() -> Iterator[Metric]:
    """Raises: DatabaseError: the database is down; the scrape then leaves these metrics out."""
    yield _rows()
    waiting = PriceBatch.objects.filter(status__in=BATCH_ACTIVE).aggregate(count=Count("id"), oldest=Min("created_at"))
    yield GaugeMetricFamily("floodgate_price_batches_waiting", "Batches that are not done.", waiting["count"])
    yield GaugeMetricFamily(
        "floodgate_price_batch_age_seconds", "Age of the oldest of them.", age_seconds(waiting["oldest"])
    )


def _rows() -> Metric:
    """Chunks commit with their counts, so the sums are of rows that are really there or really refused."""
    family = CounterMetricFamily("floodgate_price_batch_rows", "Rows of all batches by outcome.", labels=["outcome"])
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES)
        (sums,) = cursor.fetchall()
    for outcome, rows in zip(("applied", "rejected"), sums, strict=True):
        family.add_metric([outcome], rows)
    return family
