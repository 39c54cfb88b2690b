"""Proof that limits, redemptions, transfers and balances agree: what the constraints promise, counted from scratch.

One read-only snapshot, set by set; so it may run while vouchers are redeemed.
"""

from pathlib import Path
from typing import NamedTuple

from django.db import connection, transaction

from common.stores.sqlfiles import load_sql

_SQL = load_sql(Path(__file__).parents[1] / "sql" / "reconcile.sql")
EXAMPLES = 20


class Discrepancy(NamedTuple):
    """Attributes: rule: the name of what does not hold; example: where."""

    rule: str
    example: str


def reconcile() -> list[Discrepancy]:
    """Everything that does not agree, at most EXAMPLES for each rule; empty when all is well. Raises DatabaseError."""
    found = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SET LOCAL statement_timeout = 0")
        for rule, statement in _SQL.items():
            cursor.execute(statement, {"examples": EXAMPLES})
            found += [Discrepancy(rule, str(example)) for (example,) in cursor.fetchall()]
    return found
