"""Records into a table, in one statement; where the database refuses some, one by one inside the server."""

from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, connection, transaction

from common.sqlstate import sqlstate
from timestamps.errors import TableIsBroken
from timestamps.tables import UNDEFINED_TABLE, record_table
from timestamps.types import Record

BAD_DATA_CLASSES = ("22", "23")

_INSERT = """
INSERT INTO {table} (command_id, event_timestamp, correlation_id, position_ms, position_seq)
SELECT * FROM unnest(%s::uuid[], %s::timestamptz[], %s::uuid[], %s::bigint[], %s::bigint[])
ON CONFLICT DO NOTHING
"""
_INSERT_EACH = """
SELECT inserted, reason
FROM timestamps_insert_each('{table}', %s::uuid[], %s::text[], %s::uuid[], %s::bigint[], %s::bigint[])
"""

Refused = list[tuple[Record, str]]


def write_records(number: int, records: Sequence[Record]) -> tuple[int, Refused]:
    """Insert records that the table does not have yet; inside a transaction.

    ``decode_entry`` lets nothing pass that a table made by ``tables.py`` refuses, so refusals are what nobody foresaw.

    Returns: how many were inserted, and those that the database refuses (SQLSTATE 22 and 23), each with its reason.
    Raises:  TableIsBroken: there is no such table; DatabaseError: anything else.
    """
    if not records:
        return 0, []
    try:
        with transaction.atomic():
            return _insert(number, records), []
    except DatabaseError as error:
        if sqlstate(error) == UNDEFINED_TABLE:
            raise TableIsBroken from error
        if not sqlstate(error).startswith(BAD_DATA_CLASSES):
            raise
    return _insert_each(number, records)


def _insert(number: int, records: Sequence[Record]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_INSERT.format(table=record_table(number)), _columns(records))
        return int(cursor.rowcount)


def _insert_each(number: int, records: Sequence[Record]) -> tuple[int, Refused]:
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_EACH.format(table=record_table(number)), _columns(records))
        outcomes = list(zip(records, cursor.fetchall(), strict=True))
    refused = [(record, reason) for record, (_, reason) in outcomes if reason]
    return sum(inserted for _, (inserted, _) in outcomes), refused


def _columns(records: Sequence[Record]) -> list[list[Any]]:
    positions, command_ids, instants, correlation_ids = zip(*records, strict=True)
    milliseconds, sequences = zip(*positions, strict=True)
    return [list(command_ids), list(instants), list(correlation_ids), list(milliseconds), list(sequences)]
