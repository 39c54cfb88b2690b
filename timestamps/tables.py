"""Tables of projections: one per number, side by side, named from ``RecordTable``."""

from collections.abc import Collection
from uuid import UUID

from django.db import ProgrammingError, connection, transaction

from common.stores.sqlstate import UNDEFINED_TABLE, sqlstate

# The second index is for people: by correlation id, in the admin.
_CREATE = """
CREATE TABLE {table} (
    command_id uuid PRIMARY KEY,
    event_timestamp timestamptz NOT NULL,
    correlation_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    position_ms bigint NOT NULL,
    position_seq bigint NOT NULL
);
CREATE INDEX ON {table} (correlation_id);
"""

_IDS = "SELECT command_id FROM {table} WHERE command_id = ANY(%s)"


def record_table(number: int) -> str:
    """Name of the table; safe in SQL as it stands."""
    return f"timestamps_record_{number:d}"


def ids_in(number: int, command_ids: Collection[UUID]) -> set[UUID]:
    """Those that the table has; none where there is no such table. In a transaction it cannot be truncated after."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_IDS.format(table=record_table(number)), [list(command_ids)])
            return {command_id for (command_id,) in cursor}
    except ProgrammingError as error:
        if sqlstate(error) != UNDEFINED_TABLE:
            raise
        return set()


def create_record_table(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_CREATE.format(table=record_table(number)))


def drop_record_table(number: int) -> None:
    """Also when it is gone. Nobody may read it any more: it was retired long enough ago."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {record_table(number)}")
