"""Metrics of questions and prices: what this process did, and how many prices there are, asked at each scrape."""

from collections import Counter as Tally
from collections.abc import Iterator, Sequence

from django.db import connection
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from common.errors import FloodgateError
from rates.types import RatesAnswer

QUESTIONS = Counter("floodgate_rates_questions", "Questions for averages.", ["outcome"])
ADDED = Counter("floodgate_rates_prices_added", "Prices added by this process, but for imports of files.")
DELETED = Counter("floodgate_rates_prices_deleted", "Prices deleted by this process.")


def count_answers(outcomes: Sequence[RatesAnswer | FloodgateError]) -> None:
    """Tally one batch of questions."""
    for outcome, count in Tally(map(_word, outcomes)).items():
        QUESTIONS.labels(outcome).inc(count)


def _word(outcome: RatesAnswer | FloodgateError) -> str:
    if isinstance(outcome, FloodgateError):
        return outcome.code
    return "unchanged" if outcome.days is None else "answered"


def rates_metrics() -> Iterator[Metric]:
    """Raises: DatabaseError: the database is down; the scrape then leaves these metrics out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, greatest(reltuples, 0) FROM pg_class "
            "WHERE oid IN ('rates_price'::regclass, 'rates_rollup'::regclass)"
        )
        rows = dict(cursor.fetchall())
    yield GaugeMetricFamily("floodgate_rates_prices", "Prices, as the server estimates.", rows["rates_price"])
    yield GaugeMetricFamily("floodgate_rates_rollups", "Rollups, as the server estimates.", rows["rates_rollup"])
