"""Metrics of imports, read from the database at scrape: exact after restarts, and the same from every process."""

from collections.abc import Iterator

from django.db import connection
from django.db.models import Min, Q
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from common.ages import age_seconds
from promotions.models import ACTIVE, Import, ImportStatus, Publication
from promotions.serving.pointer import stored_pointer

OUTCOMES = ("loaded", "rejected", "blank", "duplicate")

# In one statement, because an import moves from the chunks to the totals in one transaction. Chunks commit with their
# counts, so the sums are of rows that are really there or really refused.
_COUNTS = """
WITH recent AS MATERIALIZED (SELECT id, status, rows_duplicate FROM promotions_import WHERE NOT is_summed),
sums AS (
    SELECT sum(rows_loaded) AS loaded, sum(rows_rejected) AS rejected, sum(rows_blank) AS blank
    FROM promotions_chunk WHERE source_import_id IN (SELECT id FROM recent)
), counts (name, count) AS (
    SELECT name, count FROM promotions_endedtotal
    UNION ALL SELECT status, 1 FROM recent
    UNION ALL SELECT 'duplicate', rows_duplicate FROM recent
    UNION ALL SELECT 'loaded', loaded FROM sums
    UNION ALL SELECT 'rejected', rejected FROM sums
    UNION ALL SELECT 'blank', blank FROM sums
)
SELECT name, coalesce(sum(count), 0)::bigint FROM counts GROUP BY name
"""


def promotions_metrics() -> Iterator[Metric]:
    """Raises: DatabaseError: a store is down; the scrape then leaves these metrics out."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS)
        counts = dict(cursor.fetchall())
    imports = GaugeMetricFamily("floodgate_imports", "Imports by status.", labels=["status"])
    rows = CounterMetricFamily("floodgate_import_rows", "Rows of all imports by outcome.", labels=["outcome"])
    for family, names in ((imports, ImportStatus.values), (rows, OUTCOMES)):
        for name in names:
            family.add_metric([name], counts.get(name, 0))
        yield family
    yield from _ages()
    yield from _publication()


def _ages() -> Iterator[Metric]:
    active = Import.objects.filter(status__in=ACTIVE).aggregate(
        oldest=Min("created_at"), queued=Min("created_at", filter=Q(status=ImportStatus.QUEUED))
    )
    yield GaugeMetricFamily(
        "floodgate_import_age_seconds", "Age of the oldest import that has not ended.", age_seconds(active["oldest"])
    )
    yield GaugeMetricFamily(
        "floodgate_import_queued_seconds",
        "Age of the oldest import that nobody has begun.",
        age_seconds(active["queued"]),
    )


def _publication() -> Iterator[Metric]:
    due = Publication.objects.filter(delivered_at=None).aggregate(oldest=Min("decided_at"))
    yield GaugeMetricFamily(
        "floodgate_promotions_undelivered_seconds",
        "Age of the oldest decision to serve a version that not all readers follow yet.",
        age_seconds(due["oldest"]),
    )
    last = Publication.objects.exclude(delivered_at=None).order_by("-epoch").first()
    yield GaugeMetricFamily(
        "floodgate_promotions_publish_seconds",
        "From the decision to its readers, of the newest publication that has them.",
        (last.delivered_at - last.decided_at).total_seconds() if last and last.delivered_at else 0.0,
    )


def pointer_metrics() -> Iterator[Metric]:
    """Raises: DatabaseError: the read store is down; the scrape then leaves these metrics out."""
    live = stored_pointer()
    yield GaugeMetricFamily("floodgate_promotions_live_version", "The version that readers get.", live.version)
    yield GaugeMetricFamily("floodgate_promotions_epoch", "Publishes and rollbacks so far.", live.epoch)
