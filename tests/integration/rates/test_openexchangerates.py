"""The client of openexchangerates.org and its refresh, against a server on this machine.

The server speaks the documented format; no test leaves the machine.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from common.network.outgoing import Patience
from jobs.running import run
from rates.exchange import openexchangerates
from rates.exchange.errors import RatesUnavailable
from rates.exchange.locks import refresh_lease
from rates.exchange.openexchangerates import OpenExchangeRates
from rates.exchange.refreshing import DAYS_A_TURN, DAYS_KEPT_UP, refresh_rates
from rates.jobs import REFRESH
from rates.models import DoubtfulRate, ExchangeRate, RateFetch

pytestmark = pytest.mark.django_db
APP_ID = "0123456789abcdef0123456789abcdef"
DAY = date(2026, 3, 2)
RATES = {"AED": Decimal("3.6725"), "EUR": Decimal("0.8"), "JPY": 160, "USD": 1, "BTC_X": 1}
Respond = Callable[[BaseHTTPRequestHandler], None]


class Remote:
    """The server. Attributes: respond: what it does next, the last one for ever; asked: addresses, in order."""

    def __init__(self) -> None:
        self.respond: list[Respond] = [publish()]
        self.asked: list[str] = []


@pytest.fixture
def remote(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    state = Remote()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            (state.respond.pop(0) if len(state.respond) > 1 else state.respond[0])(self)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=[0.01])  # its pause before it sees a shutdown
    thread.start()
    settings.OPENEXCHANGERATES_URL = f"http://127.0.0.1:{server.server_address[1]}"
    settings.OPENEXCHANGERATES_APP_ID = APP_ID
    monkeypatch.setattr(openexchangerates, "PATIENCE", Patience(0.3, 0.3))
    monkeypatch.setattr(openexchangerates, "PAUSE_SECONDS", 0.01)
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def send(request: BaseHTTPRequestHandler, body: Any, status: int = 200) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body, default=float).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json; charset=utf-8")
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


def publish(base: str = "USD", shift: timedelta = timedelta(0), **rates: Any) -> Respond:
    """As documented: the day's last rates, or the latest ones as of an hour ago."""

    def respond(request: BaseHTTPRequestHandler) -> None:
        name = request.path.split("?")[0].removesuffix(".json").rsplit("/", 1)[1]
        is_latest = name == "latest"
        published_at = timezone.now() if is_latest else datetime.fromisoformat(f"{name}T23:00:00+00:00")
        body = {
            "disclaimer": "Usage subject to terms: https://openexchangerates.org/terms",
            "license": "https://openexchangerates.org/license",
            "timestamp": int((published_at + shift).timestamp()),
            "base": base,
            "rates": RATES | rates,
        }
        send(request, body)

    return respond


def refuse(status: int, message: str, description: str = "See the documentation.") -> Respond:
    body = {"error": True, "status": status, "message": message, "description": description}
    return lambda request: send(request, body, status)


def say(body: Any, status: int = 200) -> Respond:
    return lambda request: send(request, body, status)


def hang(request: BaseHTTPRequestHandler) -> None:
    time.sleep(0.5)


def drip(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    try:
        for _ in range(100):
            request.wfile.write(b" ")
            time.sleep(0.05)
    except OSError:
        return


def cut(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b"{")
    request.close_connection = True


def ask(attempts: int = 3) -> dict[str, Decimal]:
    (day,) = OpenExchangeRates(attempts).rates_between(DAY, DAY)
    assert (day.provider, day.rate_on) == ("openexchangerates", DAY)
    return day.usd_per_unit


def stored() -> dict[str, Decimal]:
    rows = ExchangeRate.objects.order_by("rate_on", "currency").values_list("rate_on", "currency", "usd_per_unit")
    return {f"{currency} {rate_on}": rate for rate_on, currency, rate in rows}


# The client


def test_day_that_is_over_is_asked_as_documented(remote: Remote) -> None:
    assert ask() == {"AED": Decimal("0.272294077604"), "EUR": Decimal("1.25"), "JPY": Decimal("0.00625")}
    assert remote.asked == [f"/api/historical/2026-03-02.json?app_id={APP_ID}"]


def test_today_is_asked_for_the_latest(remote: Remote) -> None:
    today = timezone.now().date()
    (found,) = OpenExchangeRates().rates_between(today, today)
    assert found.rate_on == today
    assert remote.asked == [f"/api/latest.json?app_id={APP_ID}"]


def test_latest_of_just_after_midnight_are_yesterdays(remote: Remote) -> None:
    today = timezone.now().date()
    remote.respond = [publish(shift=timedelta(days=-1))]
    (found,) = OpenExchangeRates().rates_between(today, today)
    assert found.rate_on == today - timedelta(1)


REFUSALS = {
    "wrong app id": (refuse(401, "invalid_app_id"), "401 invalid_app_id: See the documentation."),
    "app id quoted": (
        refuse(401, "invalid_app_id", f"{APP_ID} is unknown."),
        "401 invalid_app_id: <app id> is unknown.",
    ),
    "over-use": (refuse(403, "access_restricted"), "403 access_restricted"),
    "not in the plan": (refuse(429, "not_allowed"), "429 not_allowed"),
    "bad request": (refuse(400, "invalid_base"), "400 invalid_base"),
    "unknown day": (refuse(404, "not_found"), "404 not_found"),
    "page of a proxy": (say(b"<html>", 403), "403 without a reason"),
    "redirect": (say({}, 302), "302 without a reason"),
    "no JSON": (say(b"<html>"), "no JSON"),
    "list": (say([]), "another shape"),
    "no rates": (say({"base": "USD", "timestamp": 1772451000}), "another shape"),
    "rates a list": (say({"base": "USD", "timestamp": 1772451000, "rates": []}), "another shape"),
    "nothing in it": (say({"base": "USD", "timestamp": 1772451000, "rates": {"USD": 1}}), "none for one USD"),
    "USD is not 1": (publish(USD=2), "none for one USD"),
    "another base": (publish("EUR"), "for one EUR, not for one USD"),
    "day before": (publish(shift=timedelta(days=-1)), "its rates for 2026-03-02 are of 2026-03-01 23:00"),
    "day after": (publish(shift=timedelta(hours=2)), "are of 2026-03-03 01:00"),
    "time is text": (say({"base": "USD", "timestamp": "now", "rates": RATES}), "another shape"),
    "time is huge": (say({"base": "USD", "timestamp": 10**30, "rates": RATES}), "another shape"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal_is_told_and_not_asked_again(remote: Remote, name: str) -> None:
    respond, reason = REFUSALS[name]
    remote.respond = [respond]
    with pytest.raises(RatesUnavailable, match=reason) as caught:
        ask()
    assert len(remote.asked) == 1
    assert APP_ID not in caught.value.detail


@pytest.mark.parametrize("respond", [hang, drip, cut, say({}, 500), refuse(503, "busy")])
def test_silent_or_broken_server_is_asked_three_times(remote: Remote, respond: Respond) -> None:
    remote.respond = [respond]
    started = time.monotonic()
    with pytest.raises(RatesUnavailable) as caught:
        ask()
    assert len(remote.asked) == 3
    assert time.monotonic() - started < 8
    assert APP_ID not in caught.value.detail


def test_second_attempt_helps(remote: Remote) -> None:
    remote.respond = [say({}, 500), publish()]
    assert ask()["EUR"] == Decimal("1.25")


def test_nobody_there_is_unavailable(settings: Settings) -> None:
    settings.OPENEXCHANGERATES_URL = "http://127.0.0.1:1"
    with pytest.raises(RatesUnavailable, match="no answer"):
        ask(attempts=1)


def test_what_is_no_number_is_kept_out_alone(remote: Remote) -> None:
    remote.respond = [publish(AED=0, CHF="1.1", GBP=None, NOK=True, SEK=-1, XAU=Decimal("1e-300"))]
    assert refresh_yesterday() == 1
    yesterday = timezone.now().date() - timedelta(1)
    assert stored() == {f"EUR {yesterday}": Decimal("1.25"), f"JPY {yesterday}": Decimal("0.00625")}
    outliers = DoubtfulRate.objects.order_by("currency").values_list("currency", "usd_per_unit")
    assert dict(outliers) == {"AED": 0, "CHF": 0, "GBP": 0, "NOK": 0, "SEK": 0, "XAU": 10**12}


# The refresh


def refresh_yesterday() -> int:
    """Only yesterday is due."""
    today = timezone.now().date()
    for number in (0, *range(2, DAYS_KEPT_UP + 1)):
        RateFetch.objects.create(provider="openexchangerates", rate_on=today - timedelta(number), is_done=True)
    return refresh()


def refresh() -> int:
    return refresh_rates(OpenExchangeRates(attempts=1))


def make_due() -> None:
    RateFetch.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def test_refresh_asks_for_each_day_once(remote: Remote) -> None:
    turns = [refresh() for _ in range(4)]
    assert turns == [DAYS_A_TURN, DAYS_A_TURN, DAYS_KEPT_UP + 1 - 2 * DAYS_A_TURN, 0]
    today = timezone.now().date()
    days = [f"/api/historical/{today - timedelta(number)}.json" for number in range(1, DAYS_KEPT_UP + 1)]
    assert [path.split("?")[0] for path in remote.asked] == ["/api/latest.json", *days]
    assert len(stored()) == 3 * (DAYS_KEPT_UP + 1)
    assert RateFetch.objects.filter(is_done=True).count() == DAYS_KEPT_UP


def test_today_is_asked_for_again_and_replaced(remote: Remote) -> None:
    refresh()
    remote.respond = [publish(EUR=Decimal("0.64"))]
    make_due()
    refresh()
    today = timezone.now().date()
    assert stored()[f"EUR {today}"] == Decimal("1.5625")
    assert RateFetch.objects.get(rate_on=today).due_at - timezone.now() > timedelta(hours=2.9)


def test_day_asked_for_before_its_end_is_asked_for_once_more(remote: Remote) -> None:
    yesterday = timezone.now().date() - timedelta(1)
    RateFetch.objects.create(provider="openexchangerates", rate_on=yesterday, fetched_at=timezone.now())
    refresh()
    assert RateFetch.objects.get(rate_on=yesterday).is_done


def test_provider_that_is_away_is_left_alone_with_all_its_days(remote: Remote) -> None:
    remote.respond = [refuse(401, "invalid_app_id")]
    assert [refresh(), refresh()] == [0, 0]
    assert len(remote.asked) == 1
    today = RateFetch.objects.get(rate_on=timezone.now().date())
    assert (today.attempts, today.last_error) == (1, "401 invalid_app_id: See the documentation.")
    pauses = []
    for _ in range(12):
        make_due()
        refresh()
        today.refresh_from_db()
        pauses.append(round((today.due_at - timezone.now()).total_seconds() / 60))
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360, 360]
    remote.respond = [publish()]
    make_due()
    assert refresh() == DAYS_A_TURN
    today.refresh_from_db()
    assert (today.attempts, today.last_error) == (0, "")


def test_job_makes_one_attempt(remote: Remote) -> None:
    remote.respond = [say({}, 500)]
    run(REFRESH)
    assert len(remote.asked) == 1


def test_outliers_are_reported(remote: Remote, caplog: pytest.LogCaptureFixture) -> None:
    yesterday = timezone.now().date() - timedelta(1)
    ExchangeRate.objects.create(
        currency="EUR", rate_on=yesterday - timedelta(3), provider="ecb", usd_per_unit=Decimal("0.5")
    )
    refresh_yesterday()
    assert f"EUR {yesterday}" not in stored()
    (record,) = [record for record in caplog.records if record.message == "rates_in_doubt"]
    assert (record.rates, record.first) == (1, "EUR")  # type: ignore[attr-defined]


def test_one_worker_at_a_time_asks(remote: Remote) -> None:
    def refresh_elsewhere() -> int:
        try:
            return refresh()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as other, refresh_lease():
        assert other.submit(refresh_elsewhere).result() == 0
    assert remote.asked == []
    assert refresh() == DAYS_A_TURN


def test_beat_asks_only_with_an_app_id(settings: Settings) -> None:
    """Tests have none."""
    assert REFRESH.name not in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    names = "from config.settings import celery; print(*(e['task'] for e in celery.CELERY_BEAT_SCHEDULE.values()))"
    environment = os.environ | {"OPENEXCHANGERATES_APP_ID": APP_ID}
    done = subprocess.run([sys.executable, "-c", names], env=environment, capture_output=True, text=True, timeout=60)
    assert REFRESH.name in done.stdout.split()


# The command


def test_command_loads_the_days_that_are_named(remote: Remote) -> None:
    said = StringIO()
    options = ["--provider", "openexchangerates", "--from", "2026-03-01", "--to", "2026-03-03"]
    call_command("load_exchange_rates", *options, stdout=said)
    assert said.getvalue() == "3 days, 9 rates stored, 0 in doubt\n"
    remote.respond = [publish(), refuse(429, "not_allowed")]
    with pytest.raises(CommandError, match=r"429 not_allowed: .*The days before are stored"):
        call_command(
            "load_exchange_rates", "--provider", "openexchangerates", "--from", "2026-03-04", "--to", "2026-03-05"
        )
    assert [key for key in stored() if key.startswith("EUR")] == [f"EUR 2026-03-0{number}" for number in range(1, 5)]
