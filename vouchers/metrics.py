"""Metrics: what was redeemed and refused in this process, and how the ledger stands, asked at each scrape."""

from collections import Counter as Tally
from collections.abc import Collection, Iterator

from django.db.models import Count, Min
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from common.ages import age_seconds
from common.errors import FloodgateError
from common.idempotency import Replayed
from vouchers.models import Generation, GenerationStatus, OrderState, Redemption, RedemptionState, WalletOrder

REDEEMED = Counter("floodgate_vouchers_redeemed", "Redemptions.")
REFUSED = Counter("floodgate_vouchers_refused", "Requests to redeem that were refused.", ["reason"])

FLAG_HITS = Counter("floodgate_vouchers_gate_hits", "Requests to redeem that flags refused.", ["level"])


_REFUSED_HERE = FLAG_HITS.labels("process")
_UNAVAILABLE = REFUSED.labels("voucher-unavailable")


def count_known_refusal(code: str) -> None:
    """Tally one request that this process refused on its event loop, at the cost of two additions."""
    _REFUSED_HERE.inc()
    (_UNAVAILABLE if code == "voucher-unavailable" else REFUSED.labels(code)).inc()


def count_shared_refusals(count: int) -> None:
    """Tally requests that flags of the shared store refused; their reasons are counted with the other outcomes."""
    FLAG_HITS.labels("store").inc(count)


def count_outcomes(outcomes: Collection[object]) -> None:
    """Tally one batch."""
    refused = Tally(outcome.code for outcome in outcomes if isinstance(outcome, FloodgateError))
    for reason, count in refused.items():
        REFUSED.labels(reason).inc(count)
    replayed = sum(isinstance(outcome, Replayed) for outcome in outcomes)
    REDEEMED.inc(len(outcomes) - replayed - refused.total())


def vouchers_metrics() -> Iterator[Metric]:
    """Raises: DatabaseError: the database is down; the scrape then leaves these metrics out."""
    pending = Redemption.objects.filter(state=RedemptionState.PENDING, reversed_at=None)
    waiting = pending.aggregate(count=Count("id"), oldest=Min("created_at"))
    lag_seconds = age_seconds(waiting["oldest"])
    yield GaugeMetricFamily(
        "floodgate_vouchers_pending", "Redemptions that the wallet has not confirmed.", waiting["count"]
    )
    yield GaugeMetricFamily("floodgate_vouchers_ledger_lag_seconds", "Age of the oldest of them.", lag_seconds)
    orders = WalletOrder.objects.filter(state=OrderState.WAITING).count()
    yield GaugeMetricFamily("floodgate_vouchers_wallet_orders_waiting", "Orders without an answer.", orders)
    running = Generation.objects.filter(status=GenerationStatus.RUNNING).aggregate(
        count=Count("id"), oldest=Min("created_at")
    )
    oldest_seconds = age_seconds(running["oldest"])
    yield GaugeMetricFamily("floodgate_vouchers_generations_waiting", "Generations not done.", running["count"])
    yield GaugeMetricFamily("floodgate_vouchers_generation_age_seconds", "Age of the oldest of them.", oldest_seconds)
