"""Metrics: what was appended in this process, and what the stores know, asked at each scrape."""

import time
from collections import Counter as Tally
from collections.abc import Iterator, Sequence

from django.db.models import Count, Q
from prometheus_client import Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from common.errors import FloodgateError
from timestamps.consumer.lagging import is_behind, lag_seconds, read_lag
from timestamps.log import archive, stream
from timestamps.models import DeadLetter, DeadLetterState, RecordTable, TableState
from timestamps.types import Appended

APPENDED = Counter("floodgate_timestamps_appended", "Entries that were appended to the log, and known to be.")
REFUSED = Counter("floodgate_timestamps_refused", "Requests of which nothing was appended.", ["reason"])


def count_outcomes(outcomes: Sequence[object]) -> None:
    """Tally one batch. What was appended before by the same idempotency record is neither appended nor refused."""
    APPENDED.inc(sum(outcome.count for outcome in outcomes if isinstance(outcome, Appended)))
    refused = Tally(outcome.code for outcome in outcomes if isinstance(outcome, FloodgateError))
    for reason, count in refused.items():
        REFUSED.labels(reason).inc(count)


def log_metrics() -> Iterator[Metric]:
    """Raises: RedisError: the store is down; the scrape then leaves these metrics out."""
    lag, seconds = read_lag(), lag_seconds(time.time())
    yield GaugeMetricFamily("floodgate_timestamps_lag_entries", "Entries that are not in the database.", lag.entries)
    yield GaugeMetricFamily("floodgate_timestamps_lag_seconds", "Age of the oldest of them.", seconds)
    yield GaugeMetricFamily("floodgate_timestamps_stream_entries", "Entries of the stream.", lag.stream_entries)


def records_metrics() -> Iterator[Metric]:
    """Raises: RedisError, DatabaseError: a store is down; the scrape then leaves these metrics out."""
    behind = float(is_behind())
    yield GaugeMetricFamily("floodgate_timestamps_rebuilding", "1 while the database lacks what it had once.", behind)
    live = RecordTable.objects.filter(state=TableState.LIVE).values_list("records", flat=True).first()
    yield GaugeMetricFamily("floodgate_timestamps_persisted", "Records of the live table.", live or 0)
    letters = DeadLetter.objects.aggregate(
        waiting=Count("pk", filter=Q(state=DeadLetterState.WAITING)), all=Count("pk")
    )
    yield GaugeMetricFamily("floodgate_timestamps_dead_letters", "Dead letters that wait.", letters["waiting"])
    yield CounterMetricFamily("floodgate_timestamps_buried", "Entries that no table could take.", letters["all"])


def archive_metrics() -> Iterator[Metric]:
    """Raises: ArchiveUnavailable, ArchiveIsBroken, RedisError: the scrape then leaves these metrics out."""
    newest = archive.current().newest()
    yield GaugeMetricFamily("floodgate_timestamps_segments", "Segments of the archive.", newest.number)
    yield GaugeMetricFamily("floodgate_timestamps_segment_bytes", "Size of all segments.", newest.total_size)
    yield GaugeMetricFamily("floodgate_timestamps_archived_entries", "Entries of all segments.", newest.total_entries)
    waiting = stream.oldest_after(newest.last)
    age_seconds = waiting.age_seconds(time.time()) if waiting else 0.0
    yield GaugeMetricFamily("floodgate_timestamps_unarchived_seconds", "Age of what only the stream has.", age_seconds)
