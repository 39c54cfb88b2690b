"""A batch of questions that takes too long: who is answered, who is refused, and how long it holds its thread."""

import time
from typing import Any

import pytest
from django.db import connection

from common.errors import FloodgateError, Overloaded
from rates.errors import PlaceNotFound
from rates.models import Port
from rates.questions import averages
from rates.questions.averages import read_rates
from rates.types import RatesAnswer, RatesQuery
from tests.rates import add, day, port, region

pytestmark = pytest.mark.django_db(transaction=True)

PLAIN = RatesQuery(day(0), day(0), "AAAAA", "BBBBB")


@pytest.fixture(autouse=True)
def deep() -> tuple[Port, Port]:
    where = None
    for number in range(8):
        where = region(f"r{number}", where)
    assert where is not None
    origin, destination = port("AAAAA", where), port("BBBBB", where)
    add(origin, destination, 0, 10, 10, 10)
    return origin, destination


def test_questions_that_are_not_reached_in_time_are_refused_and_the_others_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(averages, "BATCH_SECONDS", 0.4)
    rows = averages._rows

    def slow_rows(*args: Any) -> Any:
        connection.cursor().execute("SELECT pg_sleep(0.15)")
        return rows(*args)

    monkeypatch.setattr(averages, "_rows", slow_rows)
    thin = PLAIN._replace(date_to=day(1), fallback=True)
    started = time.monotonic()
    answered, refused = read_rates([PLAIN, thin])
    assert time.monotonic() - started < 0.15 * 8
    assert isinstance(answered, RatesAnswer)
    assert answered.days is not None
    assert answered.days[0].average == 10
    assert isinstance(refused, Overloaded)


def test_statement_that_is_cancelled_takes_its_questions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(averages, "BATCH_SECONDS", 0.3)
    monkeypatch.setitem(averages._SQL, "averages", "SELECT pg_sleep(30)")
    outcomes = read_rates([PLAIN, PLAIN._replace(origin="XXXXX"), PLAIN._replace(etags=("*",))])
    refused, missing, unchanged = outcomes
    assert isinstance(refused, Overloaded)
    assert isinstance(missing, PlaceNotFound)
    assert not isinstance(unchanged, FloodgateError)
    monkeypatch.undo()
    assert isinstance(read_rates([PLAIN])[0], RatesAnswer)
