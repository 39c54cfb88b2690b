"""Reads of timestamps by id, for machines: the log first, at the position that the id has; then the database.

The high-water mark passes an entry only after its row was committed, so a reader who asks in this order finds it
behind the mark or in the database. An id that is in neither was never handed out if the live table has passed its
position, or the mark has not. Otherwise the database has lost what it had, and the answer is "being rebuilt".
"""

import json
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from redis.exceptions import RedisError

from common.errors import FloodgateError, StoreUnavailable
from common.stores.guarded import DATABASE_AWAY, TRUTH, WRITE_STORE
from common.text.uuids import HYPHENATED_UUID
from timestamps.errors import Rebuilding, TimestampNotFound
from timestamps.ids import position_of
from timestamps.log import stream
from timestamps.log.lines import load_entry
from timestamps.models import TableState
from timestamps.records.rows import as_timestamps, select_rows, table_numbers
from timestamps.types import START, Position, Query, Timestamp

logger = logging.getLogger(__name__)

# One statement, so that the pointer, the position, the records and the letters are of one snapshot. The fence keeps the
# look at the last record from being repeated for each row.
_READ_LIVE = """
WITH asked AS MATERIALIZED (SELECT %s::uuid[] AS ids)
SELECT live.number, live.position_ms, live.position_seq, live.is_whole, found.*
FROM (
    SELECT number, position_ms, position_seq,
           last_command_id IS NULL OR EXISTS (SELECT FROM {table} WHERE command_id = last_command_id) AS is_whole
    FROM timestamps_recordtable WHERE state = 'live' OFFSET 0
) live LEFT JOIN (
    SELECT command_id, event_timestamp, correlation_id, created_at, NULL AS fields
    FROM {table} WHERE command_id = ANY((SELECT ids FROM asked)::uuid[])
    UNION ALL
    SELECT command_id, NULL, NULL, NULL, fields
    FROM timestamps_deadletter WHERE command_id = ANY((SELECT ids FROM asked)::uuid[]) AND state = 'waiting'
) found ON true
"""
_READ = "SELECT command_id, event_timestamp, correlation_id, created_at FROM {table} WHERE command_id = ANY(%s)"

OLD_ENTRIES = 1_000  # of those that wait; where there are more nobody knows

Answer = Timestamp | FloodgateError


class _Log(NamedTuple):
    """What the log knows of a batch."""

    high_water_mark: Position
    waiting: dict[UUID, Timestamp]


class _Database(NamedTuple):
    """What the database knows of a batch. ``through``: it has everything up to there; None when it has lost some."""

    through: Position | None
    records: dict[UUID, Timestamp]


class _Pointer:
    """The live table as this process saw it last; each read proves it, or corrects it."""

    number = 1


def read_timestamps(queries: list[Query]) -> list[Answer]:
    """Look ids up.

    Args:    queries: N, any order, repeats allowed.
    Returns: N answers in the order of ``queries``: TimestampNotFound only for ids that were never handed out;
        Rebuilding while the database is behind what it once had; StoreUnavailable when a store that is away might know.
    Source:  docs/timestamps.md.
    """
    ids = list(dict.fromkeys(query.command_id for query in queries))
    log = _read_log(ids)
    database = _read_database(ids)
    found = (log.waiting if log else {}) | (database.records if database else {})
    missing = [command_id for command_id in ids if command_id not in found]
    refusals = _refusals(missing, log, database, found) if missing else {}
    answers = [found.get(query.command_id) or refusals[query.command_id] for query in queries]
    _log_answers(queries, answers)
    return answers


def read_through() -> Position | None:
    """Up to where the live table has everything; None when it has lost some. Raises DatabaseError."""
    return _read_live([]).through


def _refusals(
    missing: list[UUID], log: _Log | None, database: _Database | None, found: dict[UUID, Timestamp]
) -> dict[UUID, FloodgateError]:
    """Why there is no answer, by id; what a table that is being built has is put into ``found``."""
    if log is None or database is None:
        return dict.fromkeys(missing, StoreUnavailable())
    unsure = _unsure(missing, log, database.through or START)
    if unsure:
        found |= _read_building(unsure)
    return {command_id: TimestampNotFound(command_id) for command_id in missing} | dict.fromkeys(unsure, Rebuilding())


def _unsure(missing: list[UUID], log: _Log, through: Position) -> list[UUID]:
    """Ids that are in neither, and may have been handed out."""
    positions = {command_id: position_of(command_id) for command_id in missing}
    unsure = [
        command_id
        for command_id, position in positions.items()
        if position and through < position <= log.high_water_mark
    ]
    without_position = [command_id for command_id, position in positions.items() if position is None]
    if without_position and (through < log.high_water_mark or _old_entries_wait(through)):
        unsure += without_position
    return unsure


def _old_entries_wait(through: Position) -> bool:
    """Whether entries for the database are from before ids had positions: one without may be of those then."""
    try:
        lines = stream.read_after(through, OLD_ENTRIES)
    except RedisError:
        return True
    ids = [load_entry(line).fields.get("command_id", "") for line in lines or ()]
    return (
        lines is None
        or len(lines) == OLD_ENTRIES
        or any(HYPHENATED_UUID.fullmatch(one) and position_of(UUID(one)) is None for one in ids)
    )


def _read_log(ids: list[UUID]) -> _Log | None:
    """None while the store is away: records are read all the same."""
    if TRUTH.is_open:
        return None
    placed = [(command_id, position) for command_id in ids if (position := position_of(command_id))]
    try:
        high_mark, entries = stream.find_waiting([position for _, position in placed])
    except RedisError:
        logger.warning("log_not_read", exc_info=True)
        TRUTH.open()
        return None
    found = zip([command_id for command_id, _ in placed], entries, strict=True)
    return _Log(high_mark, {one: _waiting(one, fields) for one, fields in found if fields and _is_of(one, fields)})


def _is_of(command_id: UUID, fields: dict[str, str]) -> bool:
    return fields.get("command_id") == str(command_id)


def _waiting(command_id: UUID, fields: dict[str, str]) -> Timestamp:
    """An entry as readers see it that is not in the database, and may be broken."""
    return Timestamp(command_id, fields.get("event_timestamp", ""), fields.get("correlation_id", ""), None)


def _read_database(ids: list[UUID]) -> _Database | None:
    """None while the store is away: what waits in the log is read all the same."""
    if WRITE_STORE.is_open:
        return None
    try:
        return _read_live(ids)
    except DATABASE_AWAY:
        logger.warning("records_not_read", exc_info=True)
        WRITE_STORE.open()
        return None


def _read_live(ids: list[UUID]) -> _Database:
    """From the live table, whichever that is: asks again when it was not the one that this process knew."""
    asked = _Pointer.number
    rows = select_rows(_READ_LIVE, asked, ids)
    number = rows[0][0] if rows else next(iter(table_numbers(TableState.LIVE)), None)
    if number == asked:
        return _as_database(rows)
    if number is None:
        return _Database(None, {})
    _Pointer.number = number
    again = select_rows(_READ_LIVE, number, ids)
    return _as_database(again) if again and again[0][0] == number else _Database(None, {})


def _as_database(rows: Sequence[Any]) -> _Database:
    if not rows:  # the live table is gone
        return _Database(None, {})
    _, milliseconds, sequence, is_whole = rows[0][:4]
    through = Position(milliseconds, sequence) if is_whole else None
    records = as_timestamps(row[4:8] for row in rows if row[7] is not None)
    letters = {row[4]: _waiting(row[4], json.loads(row[8])) for row in rows if row[8] is not None}
    return _Database(through, letters | records)


def _read_building(ids: list[UUID]) -> dict[UUID, Timestamp]:
    """From tables that are being built, or have been until a moment ago."""
    numbers = table_numbers(TableState.BUILDING, TableState.LIVE)
    return as_timestamps(row for number in numbers for row in select_rows(_READ, number, ids))


def _log_answers(queries: list[Query], answers: list[Answer]) -> None:
    """One line a batch. A query that waits is asked again and again, and logged when it has its record."""
    reads = [
        {"id": str(query.command_id), "correlation_id": answer.correlation_id, "asked_by": query.correlation_id}
        for query, answer in zip(queries, answers, strict=True)
        if isinstance(answer, Timestamp) and (answer.created_at or not query.wait_seconds)
    ]
    if reads:
        logger.info("timestamps_read", extra={"reads": reads})
