"""Averages per day, for many questions at once, from one state of the data.

Each statement answers a step of all questions: the places that were asked for, then, for questions that fall back and
still have thin days, the regions above them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from common.errors import FloodgateError
from common.sqlfiles import load_sql
from rates.answers import etag_of
from rates.metrics import count_answers
from rates.places import Places, chains_of, find_places, missing_places
from rates.searches import Search
from rates.types import RatesAnswer, RatesQuery

_SQL = load_sql(Path(__file__).parent / "sql" / "rates.sql")
# Below the deadline of a request. Plans stay with the indexes, whatever the planner believes of the rows.
_SNAPSHOT = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '1200ms'; "
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
)

Outcome = RatesAnswer | FloodgateError


def read_rates(queries: list[RatesQuery]) -> list[Outcome]:
    """Answer each question, all from one state of the data.

    Args:    queries: N, valid; may repeat.
    Returns: N outcomes in their order. PlaceNotFound, QueryTooLarge, TooManyPrices: of that question.
    Raises:  DatabaseError.
    Source:  docs/rates.md.
    """
    unique = dict.fromkeys(queries)
    with _snapshot():
        places = find_places({name for query in unique for name in (query.origin, query.destination)})
        answers = {query: _at_once(query, places) for query in unique}
        asking = [query for query, answer in answers.items() if answer is None]
        found = _answer(asking, places) if asking else {}
    outcomes = [answers[query] or found[query] for query in queries]
    count_answers(outcomes)
    return outcomes


@contextmanager
def _snapshot() -> Iterator[None]:
    with transaction.atomic():
        connection.cursor().execute(_SNAPSHOT)
        yield


def _at_once(query: RatesQuery, places: Places) -> Outcome | None:
    """What needs no prices; None for all else."""
    asked = {"origin": query.origin, "destination": query.destination}
    if missing := missing_places(asked, places.by_name):
        return missing
    if "*" in query.etags or etag_of(places.version, query.form) in query.etags:
        return RatesAnswer(places.version, None)
    return None


def _answer(queries: list[RatesQuery], places: Places) -> dict[RatesQuery, Outcome]:
    searches = _searches(queries, places)
    step = 0
    while asking := [search for search in searches if search.goes_to(step)]:
        for search, rows in zip(asking, _run("averages", asking), strict=True):
            search.take_averages(rows)
        counting = [search for search in asking if search.reads_prices()]
        for search, rows in zip(counting, _run("statistics", counting) if counting else [], strict=True):
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


def _run(statement: str, searches: Sequence[Search]) -> list[list[tuple[Any, ...]]]:
    """Rows of each search, without its place in the list."""
    lanes = [search.lane for search in searches]
    parameters: dict[str, Any] = {
        "places": list(range(len(searches))),
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
        for place, *row in cursor.fetchall():
            found[place].append(tuple(row))
    return found
