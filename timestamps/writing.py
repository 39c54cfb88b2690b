"""Records into a table, in one statement; what the database refuses is found by halves."""

from collections.abc import Sequence

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

Refused = list[tuple[Record, str]]


def write_records(number: int, records: Sequence[Record]) -> tuple[int, Refused]:
    """Insert records that the table does not have yet; inside a transaction.

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
        if len(records) == 1:
            return 0, [(records[0], f"{sqlstate(error)} {str(error).splitlines()[0]}")]
    middle = len(records) // 2
    first, first_refused = write_records(number, records[:middle])
    second, second_refused = write_records(number, records[middle:])
    return first + second, first_refused + second_refused


def _insert(number: int, records: Sequence[Record]) -> int:
    positions, command_ids, instants, correlation_ids = zip(*records, strict=True)
    milliseconds, sequences = zip(*positions, strict=True)
    columns = [list(command_ids), list(instants), list(correlation_ids), list(milliseconds), list(sequences)]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT.format(table=record_table(number)), columns)
        return int(cursor.rowcount)
