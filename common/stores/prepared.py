"""Statements that each connection plans once: for large ones that run hundreds of times a second.

Planning such a statement costs as much as a third of running it. The first plan is made without sequential scans: it is
kept, and tables that are small on the first day are not small on the second. When a table's statistics change, the
server plans again with all it knows.
"""

import re
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from django.db import connection
from psycopg import Connection

_PARAMETER = re.compile(r"%\((\w+)\)s")
_PLAN = "SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan; "


class Prepared:
    """Statements that run one after the other in one message to the server, each with a fresh snapshot.

    They are one transaction: the one that is open, else one of their own, which is committed when ``run`` returns.

    Args: statements: each named parameter of them is cast where it stands.
    """

    def __init__(self, name: str, *statements: str) -> None:
        named = [(f"{name}_{number}", sql) for number, sql in enumerate(statements)]
        self._prepare = [_prepare(*statement) for statement in named]
        self._execute = "; ".join(_execute(*statement) for statement in named)
        self._prepared: WeakKeyDictionary[Connection[Any], int] = WeakKeyDictionary()
        self._planned: WeakSet[Connection[Any]] = WeakSet()

    def run(self, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows of the last statement; none of one that returns nothing."""
        with connection.cursor() as cursor:
            if connection.connection in self._planned:
                cursor.execute(self._execute, parameters)
            else:
                self._run_first(cursor, parameters)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def _run_first(self, cursor: Any, parameters: Mapping[str, Any]) -> None:
        # No rollback takes one back, so each counts as soon as it is there: another may fail, and all be tried again.
        done = self._prepared.get(connection.connection, 0)
        for number, statement in enumerate(self._prepare[done:], done + 1):
            cursor.execute(statement)
            self._prepared[connection.connection] = number
        cursor.execute(_PLAN + self._execute, parameters)
        self._planned.add(connection.connection)


def _prepare(name: str, sql: str) -> str:
    names = _names(sql)
    numbered = _PARAMETER.sub(lambda match: f"${names.index(match[1]) + 1}", sql)
    return f"PREPARE {name} AS {numbered}"


def _execute(name: str, sql: str) -> str:
    return f"EXECUTE {name} ({', '.join(f'%({parameter})s' for parameter in _names(sql))})"


def _names(sql: str) -> list[str]:
    return list(dict.fromkeys(_PARAMETER.findall(sql)))
