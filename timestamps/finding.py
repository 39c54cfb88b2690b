"""Looking timestamps up for people, who may have a correlation id only. Machines read by id (``selectors.py``)."""

from uuid import UUID

from common.errors import FloodgateError
from timestamps.errors import TimestampNotFound
from timestamps.models import TableState
from timestamps.records.rows import as_timestamps, select_rows, table_numbers
from timestamps.selectors import Answer, read_timestamps
from timestamps.types import Query, Timestamp

FOUND_TIMESTAMPS = 100  # as in the statement
_FIND = """
SELECT command_id, event_timestamp, correlation_id, created_at FROM {table} WHERE correlation_id = %s
ORDER BY position_ms, position_seq LIMIT 100
"""


def find_timestamps(ids: list[UUID]) -> list[list[Timestamp] | FloodgateError]:
    """For people: what has each of these ids as its id, or in the database as its correlation id, oldest first.

    Returns: at most FOUND_TIMESTAMPS for each of ``ids``, in order.
    Raises:  DatabaseError.
    """
    by_id = read_timestamps([Query(command_id) for command_id in ids])
    return [_with_id(sought, one) for sought, one in zip(ids, by_id, strict=True)]


def _with_id(sought: UUID, by_id: Answer) -> list[Timestamp] | FloodgateError:
    found = [by_id] if isinstance(by_id, Timestamp) else []
    for number in table_numbers(TableState.LIVE):
        found += as_timestamps(select_rows(_FIND, number, sought)).values()
    if not found and isinstance(by_id, FloodgateError) and not isinstance(by_id, TimestampNotFound):
        return by_id
    return found
