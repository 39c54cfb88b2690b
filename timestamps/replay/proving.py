"""Proof that a replay lost nothing, before readers get its table.

How many entries the log has is known from manifests and stream, and not from what the replay has read of them.
"""

from bisect import bisect_right

from django.db import connection, transaction

from timestamps.errors import ReplayRefused
from timestamps.livetable import live_table
from timestamps.log import archive, reading, stream
from timestamps.log.lines import line_position
from timestamps.models import RecordTable, TableState
from timestamps.records.projecting import STEP_ENTRIES
from timestamps.tables import record_table
from timestamps.types import START, Position

_COUNT = "SELECT count(*), count(*) FILTER (WHERE (position_ms, position_seq) <= (%s, %s)) FROM {table}"


def counts_are_proved(number: int) -> bool:
    """The table projected every entry that the log has from the replay's beginning up to its position, it has every
    record that it was given, and of what it copied as many as the live table.

    Returns: False when the log is too far ahead again to tell.
    Raises:  ReplayRefused: some are missing, or there are too many; NoLiveTable.
    """
    with transaction.atomic():
        _see_one_moment()
        table = RecordTable.objects.get(pk=number)
        through = entries_through(table.position)
        if table.state != TableState.BUILDING or through is None:
            return False
        entries = through - entries_before(table.replayed_after)
        records, copies = _count(table, table.replayed_after)
        originals = copies if table.replayed_after == START else _count(copied_table(table), table.replayed_after)[1]
    if (records, table.entries, copies) != (table.records, entries, originals):
        raise ReplayRefused(
            f"The counts do not match: {records} records of {table.records} that were written, {table.entries} entries"
            f" taken of {entries} in the log, {copies} records copied of {originals}."
        )
    return True


def entries_before(beginning: Position) -> int:
    """How many entries the log has through a replay's beginning. It reads what the stream still has of them."""
    at = stream.low_water_mark()
    total = archive.current().entries_through(min(at, beginning))
    while at < beginning and (page := reading.read_after(at, STEP_ENTRIES)):
        total += bisect_right(page, beginning, key=line_position)
        at = line_position(page[-1])
    return total


def entries_through(position: Position) -> int | None:
    """How many entries the log has up to a position near its end, wherever they are; None when it is not near."""
    low_mark, in_stream, after = stream.tail(position)
    if after == stream.TAIL_ENTRIES:
        return None
    return archive.current().entries_through(low_mark) + in_stream - after


def entries_in_log() -> int:
    """Of archive and stream together."""
    low_mark, in_stream, _ = stream.tail(START, 1)
    return archive.current().entries_through(low_mark) + in_stream


def copied_table(table: RecordTable) -> RecordTable:
    """The live table, which has all that is to be copied. Raises NoLiveTable; ReplayRefused: it was begun again."""
    live = live_table()
    if live.position < table.replayed_after:
        raise ReplayRefused(f"The live table has the log through {live.position} only: it was begun again.")
    return live


def _see_one_moment() -> None:
    """Instead of a lock on the row: counting takes minutes, and recovery, retries and cancelling need it."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def _count(table: RecordTable, beginning: Position) -> tuple[int, int]:
    """Records, and those of them that are not after ``beginning``."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '30min'")  # 100 M records
        cursor.execute(_COUNT.format(table=record_table(table.number)), beginning)
        records, copies = cursor.fetchone()
    return records, copies
