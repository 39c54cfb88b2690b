"""Rows of projections, any of which may be dropped, or be the live one no longer, by the time it is asked."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import ProgrammingError, connection

from common.stores.sqlstate import NOT_MIGRATED, sqlstate
from common.text.exactjson import rfc3339
from timestamps.models import TableState
from timestamps.tables import record_table
from timestamps.types import Timestamp

_NUMBERS = "SELECT number FROM timestamps_recordtable WHERE state = ANY(%s) ORDER BY number"


def table_numbers(*states: TableState) -> list[int]:
    """Of the tables in these states. Raises DatabaseError."""
    return [number for (number,) in _fetch(_NUMBERS, list(states))]


def select_rows(sql: str, number: int, ids: list[UUID] | UUID) -> list[Any]:
    """What ``sql``, with the place ``{table}``, finds of these ids in a table. Raises DatabaseError."""
    return _fetch(sql.format(table=record_table(number)), ids)


def _fetch(sql: str, parameter: list[Any] | UUID) -> list[Any]:
    """Empty where a table does not exist: it was dropped, or the database is a fresh one."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, [parameter])
            return list(cursor.fetchall())
    except ProgrammingError as error:
        if sqlstate(error) not in NOT_MIGRATED:
            raise
        return []


def as_timestamps(rows: Iterable[tuple[UUID, datetime, UUID, datetime]]) -> dict[UUID, Timestamp]:
    """By command id, as readers see them; ``rows`` are command id, instant, correlation id, and when it came."""
    return {
        command_id: Timestamp(command_id, rfc3339(event_timestamp), str(correlation_id), rfc3339(created_at))
        for command_id, event_timestamp, correlation_id, created_at in rows
    }
