"""Averages per day, for many questions at once, from one state of the data.

Each statement answers a step of all questions: the places that were asked for, then, for questions that fall back and
still have thin days, the regions above them. All statements of a batch share BATCH_SECONDS; questions that are not
answered by then are refused, and the others keep their answers.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import OperationalError, connection, transaction

from common.errors import FloodgateError, Overloaded
from common.stores.sqlfiles import load_sql
from common.stores.sqlstate import STATEMENT_TIMEOUT, sqlstate
from rates.metrics import count_answers
from rates.places.naming import Places, chains_of, find_places, missing_places
from rates.questions.answers import etag_of
from rates.questions.searches import Search
from rates.types import RatesAnswer, RatesQuery

_SQL = load_sql(Path(__file__).parents[1] / "sql" / "rates.sql")
BATCH_SECONDS = 1.0  # of the 1.5 s that a request has; the largest question takes about as long
UNNOTICED_SECONDS = 0.05  # by which a statement may run over, so that quick batches set their timeout once
# Plans stay with the indexes, whatever the planner believes of the rows.
_SNAPSHOT = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; "
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; "
    "SET LOCAL statement_timeout = '{milliseconds}ms'"
)
_TOO_SLOW = "These questions took too long together. Ask again, for fewer days or without `stats` or `fallback`."

Outcome = RatesAnswer | FloodgateError


def read_rates(queries: list[RatesQuery]) -> list[Outcome]:
    """Answer each question, all from one state of the data.

    Args:    queries: N, valid; may repeat.
    Returns: N outcomes in their order. PlaceNotFound, QueryTooLarge, TooManyPrices: of that question. Overloaded: the
             batch took too long.
    Raises:  DatabaseError.
    Source:  docs/rates.md.
    """
    unique = dict.fromkeys(queries)
    with _snapshot() as budget:
        places = find_places({name for query in unique for name in (query.origin, query.destination)})
        answers = {query: _at_once(query, places) for query in unique}
        asking = [query for query, answer in answers.items() if answer is None]
        found = _answer(asking, places, budget) if asking else {}
    outcomes = [answers[query] or found[query] for query in queries]
    count_answers(outcomes)
    return outcomes


class _Budget:
    """Time for all statements of a batch. Made with the first one's timeout set."""

    def __init__(self) -> None:
        self._until = time.monotonic() + BATCH_SECONDS
        self._given = BATCH_SECONDS

    def allows_another(self) -> bool:
        """Whether a statement may begin; no longer than what is left."""
        left = self._until - time.monotonic()
        if left <= 0:
            return False
        if self._given - left > UNNOTICED_SECONDS:
            connection.cursor().execute(f"SET LOCAL statement_timeout = {max(1, round(left * 1_000))}")
            self._given = left
        return True

    def end(self) -> None:
        """A statement was cancelled, and its transaction takes no more."""
        self._until = 0.0
        transaction.set_rollback(True)


@contextmanager
def _snapshot() -> Iterator[_Budget]:
    with transaction.atomic():
        connection.cursor().execute(_SNAPSHOT.format(milliseconds=round(BATCH_SECONDS * 1_000)))
        yield _Budget()


def _at_once(query: RatesQuery, places: Places) -> Outcome | None:
    """What needs no prices; None for all else."""
    asked = {"origin": query.origin, "destination": query.destination}
    if missing := missing_places(asked, places.by_name):
        return missing
    if "*" in query.etags or etag_of(places.version, query.form) in query.etags:
        return RatesAnswer(places.version, None)
    return None


def _answer(queries: list[RatesQuery], places: Places, budget: _Budget) -> dict[RatesQuery, Outcome]:
    searches = _searches(queries, places)
    step = 0
    while asking := [search for search in searches if search.goes_to(step)]:
        for search, rows in zip(asking, _run("averages", asking, budget), strict=True):
            search.take_averages(rows)
        counting = [search for search in asking if search.reads_prices()]
        for search, rows in zip(counting, _run("statistics", counting, budget) if counting else [], strict=True):
            search.take_statistics(rows)
        step += 1
    return {search.query: search.outcome(places.version) for search in searches}


def _searches(queries: list[RatesQuery], places: Places) -> list[Search]:
    ends = {query: (places.by_name[query.origin], places.by_name[query.destination]) for query in queries}
    climbing = {place for query, both in ends.items() if query.fallback for place in both}
    above = chains_of(climbing) if climbing else {}
    return [
        Search(query, *(above[place] if query.fallback else [place] for place in both)) for query, both in ends.items()
    ]


def _run(statement: str, searches: Sequence[Search], budget: _Budget) -> list[list[tuple[Any, ...]]]:
    """Rows of each search; none, and the searches refused, when time is up."""
    try:
        if budget.allows_another():
            return _rows(statement, searches)
    except OperationalError as error:
        if sqlstate(error) != STATEMENT_TIMEOUT:
            raise
        budget.end()
    for search in searches:
        search.refuse(Overloaded(_TOO_SLOW))
    return [[] for _ in searches]


def _rows(statement: str, searches: Sequence[Search]) -> list[list[tuple[Any, ...]]]:
    """Rows of each search, without its index in the list."""
    lanes = [search.lane for search in searches]
    parameters: dict[str, Any] = {
        "indexes": list(range(len(searches))),
        "origins": [lane.origin.id for lane in lanes],
        "origin_ports": [lane.origin.is_port for lane in lanes],
        "destinations": [lane.destination.id for lane in lanes],
        "destination_ports": [lane.destination.is_port for lane in lanes],
        "first_days": [search.query.date_from for search in searches],
        "last_days": [search.query.date_to for search in searches],
    }
    found: list[list[tuple[Any, ...]]] = [[] for _ in searches]
    with connection.cursor() as cursor:
        cursor.execute(_SQL[statement], parameters)
        for index, *row in cursor.fetchall():
            found[index].append(tuple(row))
    return found
