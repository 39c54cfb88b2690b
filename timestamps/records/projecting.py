"""Projects the log into a table: the one way in, for the consumer and for rebuilds."""

import logging
from collections.abc import Iterator
from uuid import UUID

from django.db import transaction

from timestamps.errors import TableIsBroken
from timestamps.locks import lock_table
from timestamps.log import reading
from timestamps.log.lines import line_position, load_entry
from timestamps.log.recovery import recover_log
from timestamps.models import RecordTable, TableState
from timestamps.records.deadletters import keep_dead_letters
from timestamps.records.decoding import decode_lines
from timestamps.records.writing import Refused, write_records
from timestamps.tables import ids_in
from timestamps.types import Entry, Record

logger = logging.getLogger(__name__)

STEP_ENTRIES = 10_000
LOGGED_IDS = 20


def project(number: int) -> int:
    """Write the next entries of the log, at most STEP_ENTRIES, into a table and move its position behind them.

    Args:    number: of the table. One that is neither live nor building is left as it is.
    Returns: entries projected; fewer than STEP_ENTRIES: there were no more.
    Raises:  TableIsBroken: the table lacks records that it had, nothing was written: it must be rebuilt.
        RecordTable.DoesNotExist; DatabaseError, RedisError: a store is away; the next call goes on from there.
    Source:  docs/timestamps.md.
    """
    recover_log()  # before the lock: it takes those of all tables, and may wait for the archive
    with transaction.atomic():
        table = lock_table(number)
        if table.state not in (TableState.LIVE, TableState.BUILDING):
            return 0
        if not is_whole(table):
            raise TableIsBroken
        lines = reading.read_after(table.position, STEP_ENTRIES)
        if lines:
            _project_lines(table, lines)
    return len(lines)


def is_whole(table: RecordTable) -> bool:
    """A table that was emptied must not move on, or its position would tell of records that nobody finds."""
    return table.last_command_id is None or bool(ids_in(table.number, [table.last_command_id]))


def _project_lines(table: RecordTable, lines: list[bytes]) -> None:
    records, broken = decode_lines(lines)
    inserted, refused = write_records(table.number, records)
    keep_dead_letters([*broken, *_entries_of(refused, lines)])
    dead = {record.position for record, _ in refused}
    last = next((record for record in reversed(records) if record.position not in dead), None)
    table.last_command_id = UUID(last.command_id) if last else table.last_command_id
    table.position = line_position(lines[-1])
    table.records += inserted
    table.entries += len(records) + len(broken)  # and not what was read: none may get lost on the way
    table.save(update_fields=["last_command_id", "position_ms", "position_seq", "records", "entries"])
    _log(table, records, len(lines), inserted)


def _entries_of(refused: Refused, lines: list[bytes]) -> Iterator[tuple[Entry, str]]:
    """With all of their fields."""
    reasons = {record.position: reason for record, reason in refused}
    for entry in map(load_entry, lines if reasons else ()):
        if entry.position in reasons:
            yield entry, reasons[entry.position]


def _log(table: RecordTable, records: list[Record], entries: int, inserted: int) -> None:
    correlation_ids = dict.fromkeys(record.correlation_id for record in records)
    fields = {
        "table": table.number,
        "through": str(table.position),
        "entries": entries,
        "inserted": inserted,
        "correlation_ids": list(correlation_ids)[:LOGGED_IDS],
    }
    logger.info("records_written", extra=fields)
