"""Keeps the rates of openexchangerates.org up to date: today's every three hours, each day's last ones once it is over.

A day is a row before it is a request (``RateFetch``), and is asked for until it is done: that is the cache. A provider
that does not answer is left alone, with all its days, for a pause that doubles from a minute to six hours.
"""

import logging
from datetime import date, datetime, timedelta

from django.db.models import F
from django.utils import timezone

from rates.exchange.errors import RatesUnavailable
from rates.exchange.locks import refresh_lease
from rates.exchange.openexchangerates import OpenExchangeRates
from rates.exchange.storing import load_rates
from rates.exchange.types import LoadReport, Provider
from rates.models import RateFetch

logger = logging.getLogger(__name__)
DAYS_KEPT_UP = 7
DAYS_A_TURN = 3
TODAY_AGAIN = timedelta(hours=3)  # 8 requests a day and 1 for the last: the free plan has 1,000 a month
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)


def refresh_published_rates() -> None:
    """As refresh_rates, with one attempt a day: a worker has other work, and beat asks again."""
    refresh_rates(OpenExchangeRates(attempts=1))


def refresh_rates(provider: Provider) -> int:
    """Ask for the days that are due, the newest first, at most DAYS_A_TURN.

    Returns: how many days were answered.
    Raises:  DatabaseError: call again later.
    """
    with refresh_lease() as is_mine:
        if not is_mine:
            return 0
        today = timezone.now().date()
        _plan(provider, today)
        answered = 0
        for fetch in _due(provider, today):
            if not _fetch(provider, fetch):
                break
            answered += 1
        return answered


def _plan(provider: Provider, today: date) -> None:
    days = [today - timedelta(number) for number in range(DAYS_KEPT_UP + 1)]
    known = set(RateFetch.objects.filter(provider=provider.name, rate_on__in=days).values_list("rate_on", flat=True))
    RateFetch.objects.bulk_create(
        [RateFetch(provider=provider.name, rate_on=day) for day in days if day not in known], ignore_conflicts=True
    )


def _due(provider: Provider, today: date) -> list[RateFetch]:
    waiting = RateFetch.objects.filter(provider=provider.name, is_done=False, due_at__lte=timezone.now())
    waiting = waiting.filter(rate_on__range=(today - timedelta(DAYS_KEPT_UP), today))
    return list(waiting.order_by("-rate_on")[:DAYS_A_TURN])


def _fetch(provider: Provider, fetch: RateFetch) -> bool:
    asked_at = timezone.now()
    try:
        report = load_rates(provider, fetch.rate_on, fetch.rate_on)
    except RatesUnavailable as error:
        logger.warning("rates_unavailable", extra={"day": str(fetch.rate_on), "reason": error.detail})
        _postpone(provider, fetch, asked_at, error.detail)
        return False
    _note(fetch, asked_at, report)
    return True


def _note(fetch: RateFetch, asked_at: datetime, report: LoadReport) -> None:
    """What was asked before the day was over is not its last word."""
    fetch.is_done = asked_at.date() > fetch.rate_on
    fetch.attempts, fetch.last_error, fetch.fetched_at = 0, "", asked_at
    fetch.due_at = asked_at + TODAY_AGAIN
    fetch.save()
    if report.outliers:
        first = report.outliers[0]
        fields = {
            "rates": len(report.outliers),
            "first": first.currency,
            "day": str(first.rate_on),
            "why": first.reason,
        }
        logger.error("rates_in_doubt", extra=fields)


def _postpone(provider: Provider, fetch: RateFetch, asked_at: datetime, reason: str) -> None:
    due_at = asked_at + min(FIRST_PAUSE * 2 ** min(fetch.attempts, 10), LONGEST_PAUSE)
    waiting = RateFetch.objects.filter(provider=provider.name, is_done=False)
    waiting.filter(due_at__lt=due_at).update(due_at=due_at)
    waiting.filter(pk=fetch.pk).update(attempts=F("attempts") + 1, last_error=reason)
