"""Metrics of imports, read from the database at scrape: exact after restarts, and the same from every process."""

from collections.abc import Iterator

from django.db.models import Count, Sum
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from promotions.models import Chunk, Import, ImportStatus
from promotions.pointer import stored_pointer


def promotions_metrics() -> Iterator[Metric]:
    """Raises: DatabaseError: a store is down; the scrape then leaves these metrics out."""
    yield _imports()
    yield _rows()
    live = stored_pointer()
    yield GaugeMetricFamily("floodgate_promotions_live_version", "The version that readers get.", live.version)
    yield GaugeMetricFamily("floodgate_promotions_epoch", "Publishes and rollbacks so far.", live.epoch)


def _imports() -> Metric:
    family = GaugeMetricFamily("floodgate_imports", "Imports by status.", labels=["status"])
    counts = dict(Import.objects.order_by().values_list("status").annotate(Count("id")))
    for status in ImportStatus.values:
        family.add_metric([status], counts.get(status, 0))
    return family


def _rows() -> Metric:
    """Chunks commit with their counts, so the sums are of rows that are really there or really refused."""
    family = CounterMetricFamily("floodgate_import_rows", "Rows of all imports by outcome.", labels=["outcome"])
    sums = Chunk.objects.aggregate(
        loaded=Sum("rows_loaded", default=0),
        rejected=Sum("rows_rejected", default=0),
        blank=Sum("rows_blank", default=0),
    )
    duplicate = Import.objects.aggregate(total=Sum("rows_duplicate", default=0))["total"]
    for outcome, rows in {**sums, "duplicate": duplicate}.items():
        family.add_metric([outcome], rows)
    return family
