"""The plain tables that hold a version's rows: ``promotions_v<n>``, or several ``promotions_v<n>_<i>`` by id prefix.

A plain table without a parent can be filled, indexed and dropped without any lock on what readers use.
"""

import re
from uuid import UUID

from django.db import connections

# Their order in COPY: uuid, timestamptz, bigint, numeric(18,6).
COPY_COLUMNS = ("id", "expiration_date", "line", "price")
_NAME = re.compile(r"promotions_v([0-9]+)(?:_[0-9]+)?")


def table_name(version: int, index: int, table_count: int) -> str:
    return f"promotions_v{version}" if table_count == 1 else f"promotions_v{version}_{index}"


def table_names(version: int, table_count: int) -> list[str]:
    return [table_name(version, index, table_count) for index in range(table_count)]


def table_index(row_id: UUID, table_count: int) -> int:
    """Which table holds an id: its first 16 bits scaled to the number of tables."""
    return ((row_id.int >> 112) * table_count) >> 16


def create_table(name: str, *, using: str = "default") -> None:
    """Create a version's table if it is missing, without an index: that comes when it is loaded.

    ``line`` is the row's line in the source; of two rows with one id the later line wins. Nothing is ever updated in
    it, so autovacuum would only compete with the load.
    """
    with connections[using].cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {name} (id uuid NOT NULL, expiration_date timestamptz NOT NULL,"
            " line bigint NOT NULL, price numeric(18, 6) NOT NULL) WITH (autovacuum_enabled = off)"
        )


def index_table(name: str, *, using: str = "default") -> None:
    """Add the primary key. Raises IntegrityError: two rows have one id."""
    with connections[using].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {name} ADD PRIMARY KEY (id)")


def table_exists(name: str, *, using: str) -> bool:
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        return bool(cursor.fetchone()[0])


def drop_table(name: str, *, using: str) -> None:
    """Drop a table that no reader can name any more."""
    with connections[using].cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {name}")


def existing_tables(*, using: str) -> list[tuple[str, int]]:
    """(name, version) of every version table of a store."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^promotions_v[0-9]'")
        matches = [_NAME.fullmatch(name) for (name,) in cursor.fetchall()]
    return [(match[0], int(match[1])) for match in matches if match]
