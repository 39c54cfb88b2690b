"""Metrics: what was counted in this process, and what the stores know, asked at each scrape."""

from collections.abc import Iterator, Sequence

from django.db.models import Sum
from prometheus_client import Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric, SummaryMetricFamily

from common.errors import FloodgateError
from common.idempotency import IdempotencyKeyReused
from counters.buffer import FULL, NO_MARKS, REUSED, read_backlog
from counters.errors import BacklogFull, CounterFull, TooManyMarks
from counters.models import FlushTotals

ACCEPTED = Counter("floodgate_increments_accepted", "Increments that were added.")
REFUSED = Counter("floodgate_increments_refused", "Increments or submissions that were not added.", ["reason"])
# What the buffer's answers that added nothing mean.
REFUSALS: dict[bytes, type[FloodgateError]] = {
    FULL: BacklogFull,
    NO_MARKS: TooManyMarks,
    REUSED: IdempotencyKeyReused,
}


def count_answers(answers: Sequence[bytes]) -> None:
    """Tally the buffer's answers to one batch."""
    ACCEPTED.inc(sum(answer.count(b"1") for answer in answers))
    refused = {
        CounterFull.code: sum(answer.count(b"0") for answer in answers),
        **{error.code: answers.count(answer) for answer, error in REFUSALS.items()},
    }
    for reason, count in refused.items():
        if count:
            REFUSED.labels(reason).inc(count)


def buffer_metrics() -> Iterator[Metric]:
    """Raises: RedisError: the store is down; the scrape then leaves these metrics out."""
    backlog = read_backlog()
    yield GaugeMetricFamily("floodgate_counters_pending_keys", "Keys that wait for the database.", backlog.keys)
    yield GaugeMetricFamily(
        "floodgate_counters_marks", "Idempotency-Keys that are remembered.", backlog.idempotency_records
    )
    yield GaugeMetricFamily(
        "floodgate_counters_staleness_seconds", "Age of the oldest delta that waits.", backlog.age_seconds
    )


def flush_metrics() -> Iterator[Metric]:
    """Raises: DatabaseError: the database is down; the scrape then leaves these metrics out."""
    totals = FlushTotals.objects.aggregate(
        flushes=Sum("flushes", default=0), rows=Sum("rows", default=0), seconds=Sum("seconds", default=0.0)
    )
    yield CounterMetricFamily("floodgate_counters_flushed_rows", "Deltas that reached the database.", totals["rows"])
    yield SummaryMetricFamily(
        "floodgate_counters_flush_seconds", "Duration of flushes.", totals["flushes"], totals["seconds"]
    )
