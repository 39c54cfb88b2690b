"""Proof that rollups and closure say what prices and regions say, counted from scratch; and repair where they do not.

Triggers keep them, so there is nothing to repair unless somebody wrote the tables by hand.
"""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from django.db import connection, transaction

from common.stores.sqlfiles import load_sql
from rates.locks import lock_tree

_SQL = load_sql(Path(__file__).parents[1] / "sql" / "rollup.sql")
EXAMPLES = 20


class Difference(NamedTuple):
    """A rollup that is not what the prices say. Attributes: level: a Level; sums, counts: None where there is none."""

    level: int
    origin: int
    destination: int
    day: date
    sum_of_prices: Decimal | None
    count_of_prices: int | None
    sum_kept: Decimal | None
    count_kept: int | None


class Proof(NamedTuple):
    """Attributes: rollups: how many differ; examples: the first of them; closure: pairs of regions that differ."""

    rollups: int
    closure: int
    examples: list[Difference]

    @property
    def holds(self) -> bool:
        return not self.rollups and not self.closure


def prove_rollup() -> Proof:
    """What differs, in one snapshot; others may write meanwhile. Raises DatabaseError."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0")
        return _proof()


def repair_rollup() -> Proof:
    """Make rollups and closure what prices and regions say; who writes prices waits. Returns what differed before."""
    with transaction.atomic(), connection.cursor() as cursor:
        lock_tree()
        cursor.execute("SET LOCAL statement_timeout = 0")
        before = _proof()
        if not before.holds:
            cursor.execute(_SQL["repair_closure"])
            cursor.execute(_SQL["repair"])
            cursor.execute(_SQL["advance_version"], {})
    return before


def _proof() -> Proof:
    with connection.cursor() as cursor:
        cursor.execute(_SQL["differences"], {"examples": EXAMPLES})
        rows = cursor.fetchall()
        cursor.execute(_SQL["closure_differences"])
        ((closure,),) = cursor.fetchall()
    return Proof(rows[0][-1] if rows else 0, closure, [Difference(*row[:-1]) for row in rows])
