"""Records into a table, by one COPY; where the database refuses some, one by one inside the server."""

from collections.abc import Sequence

from django.db import DatabaseError, connection, transaction

from common.stores.sqlstate import UNDEFINED_TABLE, sqlstate
from timestamps.errors import TableIsBroken
from timestamps.tables import record_table
from timestamps.types import Record

BAD_DATA_CLASSES = ("22", "23")  # 23 too where the table has an id already

_COPY = "COPY {table} (position_ms, position_seq, command_id, event_timestamp, correlation_id) FROM STDIN"
_INSERT_EACH = """
SELECT inserted, reason FROM timestamps_insert_each(
    '{table}', %(command_id)s::uuid[], %(event_timestamp)s, %(correlation_id)s::uuid[], %(ms)s::bigint[],
    %(seq)s::bigint[])
"""

Refused = list[tuple[Record, str]]


def write_records(number: int, records: Sequence[Record]) -> tuple[int, Refused]:
    """Insert records that the table does not have yet; inside a transaction.

    ``decoding.py`` lets nothing pass that a table made by ``tables.py`` refuses, so refusals are what nobody foresaw.
    Ids that it has already are as rare: both make it try each.

    Returns: how many were inserted, and those that the database refuses (SQLSTATE 22 and 23), each with its reason.
    Raises:  TableIsBroken: there is no such table; DatabaseError: anything else.
    """
    if not records:
        return 0, []
    try:
        with transaction.atomic():
            _copy(number, records)
    except DatabaseError as error:
        if sqlstate(error) == UNDEFINED_TABLE:
            raise TableIsBroken from error
        if not sqlstate(error).startswith(BAD_DATA_CLASSES):
            raise
        return _insert_each(number, records)
    return len(records), []


def _copy(number: int, records: Sequence[Record]) -> None:
    """Nothing in a record needs an escape."""
    rows = "\n".join(map("\t".join, records))
    statement = _COPY.format(table=record_table(number))
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.write(f"{rows}\n")


def _insert_each(number: int, records: Sequence[Record]) -> tuple[int, Refused]:
    columns = dict(zip(Record._fields, map(list, zip(*records, strict=True)), strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_EACH.format(table=record_table(number)), columns)
        outcomes = list(zip(records, cursor.fetchall(), strict=True))
    refused = [(record, reason) for record, (_, reason) in outcomes if reason]
    return sum(inserted for _, (inserted, _) in outcomes), refused
