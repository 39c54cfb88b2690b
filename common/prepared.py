"""Statements that each connection plans once: for large ones that run hundreds of times a second.

Planning such a statement costs as much as a third of running it. The first plan is made without sequential scans: it is
kept, and tables that are small on the first day are not small on the second. When a table's statistics change, the
server plans again with all it knows.
"""

import re
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

from django.db import connection
from psycopg import Connection

_PARAMETER = re.compile(r"%\((\w+)\)s")


class Prepared:
    """Runs inside a transaction. Args: sql: each named parameter of it is cast where it stands."""

    def __init__(self, name: str, sql: str) -> None:
        names = list(dict.fromkeys(_PARAMETER.findall(sql)))
        numbered = _PARAMETER.sub(lambda match: f"${names.index(match[1]) + 1}", sql)
        self._prepare = (
            "SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan; "
            f"PREPARE {name} AS {numbered}"
        )
        self._execute = f"EXECUTE {name} ({', '.join(f'%({parameter})s' for parameter in names)})"
        self._connections: WeakSet[Connection[Any]] = WeakSet()

    def run(self, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Its rows; none for a statement that returns nothing."""
        with connection.cursor() as cursor:
            if connection.connection not in self._connections:
                cursor.execute(self._prepare)
                self._connections.add(connection.connection)
            cursor.execute(self._execute, parameters)
            return cursor.fetchall() if cursor.description else []
