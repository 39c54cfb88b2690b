"""Rates of openexchangerates.org, as its documentation says (docs.openexchangerates.org): units for one US dollar.

``/api/historical/YYYY-MM-DD.json`` has a day that is over, ``/api/latest.json`` the day that is not. Only a command and
a task of beat come here. The app id is part of the address, so no address is ever logged.
"""

import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from django.conf import settings

from common.errors import InvalidInput
from common.network.outgoing import NO_ANSWER, Outgoing, Patience, send
from common.text.jsonbody import load_json
from rates.exchange.decimals import usd_per_unit
from rates.exchange.errors import RatesUnavailable
from rates.exchange.types import DayRates

ANSWER_BYTES = 2**20  # 170 currencies are 4 KB
PATIENCE = Patience(2.0, 4.0)
PAUSE_SECONDS = 0.5  # before the second attempt; it doubles
_CODE = re.compile(r"[A-Z]{3}", re.ASCII)


class OpenExchangeRates:
    """Args: attempts: for a day, where the server is silent or broken; what it refuses is not asked again."""

    name = "openexchangerates"
    days_at_once = 1

    def __init__(self, attempts: int = 3) -> None:
        self._attempts = attempts

    def rates_between(self, first: date, last: date) -> Iterator[DayRates]:
        """One request a day. Raises RatesUnavailable."""
        for number in range((last - first).days + 1):
            yield self._day(first + timedelta(number))

    def _day(self, day: date) -> DayRates:
        for attempt in range(1, self._attempts + 1):
            try:
                return _ask(day)
            except RatesUnavailable as error:
                if not error.will_pass or attempt == self._attempts:
                    raise
                time.sleep(PAUSE_SECONDS * 2 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")


def _ask(day: date) -> DayRates:
    today = datetime.now(UTC).date()
    document = "latest" if day == today else f"historical/{day}"
    answer = _exchange(
        f"{settings.OPENEXCHANGERATES_URL}/api/{document}.json?app_id={settings.OPENEXCHANGERATES_APP_ID}"
    )
    try:
        return DayRates(OpenExchangeRates.name, _published_on(answer, day, today), _in_dollars(answer))
    except (KeyError, TypeError, AttributeError, OverflowError, OSError) as exc:
        raise RatesUnavailable(f"its answer is of another shape: {exc!r}") from exc


def _exchange(url: str) -> Any:
    try:
        status, content = send(Outgoing("GET", url, {"Accept": "application/json"}, PATIENCE, ANSWER_BYTES))
    except NO_ANSWER as exc:
        raise RatesUnavailable(f"no answer: {exc!r}", will_pass=True) from exc
    if status != HTTPStatus.OK:
        raise RatesUnavailable(_refusal(status, content), will_pass=status >= HTTPStatus.INTERNAL_SERVER_ERROR)
    try:
        return load_json(content)
    except InvalidInput as exc:
        raise RatesUnavailable("its answer is no JSON") from exc


def _refusal(status: int, content: bytes) -> str:
    """Like ``401 invalid_app_id: Invalid App ID provided``, from a body with message and description."""
    try:
        body = load_json(content)
        said = f"{status} {body['message']}: {body['description']}"
    except (InvalidInput, KeyError, TypeError):
        said = f"{status} without a reason"
    return said.replace(settings.OPENEXCHANGERATES_APP_ID, "<app id>")[:300]


def _published_on(answer: Mapping[str, Any], day: date, today: date) -> date:
    """The day that the rates are of. Raises RatesUnavailable: another base, or another day than was asked for."""
    if answer["base"] != "USD":
        raise RatesUnavailable(f"its rates are for one {answer['base']!s:.10}, not for one USD")
    published_at = datetime.fromtimestamp(answer["timestamp"], UTC)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    # Just after midnight the latest rates are still yesterday's; a day's last ones may carry the next midnight.
    earliest = midnight - timedelta(1) if day == today else midnight
    if not earliest <= published_at <= midnight + timedelta(1):
        raise RatesUnavailable(f"its rates for {day} are of {published_at:%Y-%m-%d %H:%M}")
    return min(published_at.date(), day)


def _in_dollars(answer: Mapping[str, Any]) -> dict[str, Decimal]:
    rates = {code: _units(said) for code, said in answer["rates"].items() if _CODE.fullmatch(code)}
    if rates.pop("USD", 1) != 1 or not rates:
        raise RatesUnavailable("its rates are none for one USD")
    return {code: usd_per_unit(Decimal(1), units) for code, units in rates.items()}


def _units(said: Any) -> Decimal:
    """0, which the outlier filter refuses, for what is no number."""
    return Decimal(said) if isinstance(said, int | Decimal) and not isinstance(said, bool) else Decimal(0)
