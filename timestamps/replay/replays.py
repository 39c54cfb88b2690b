"""Replays as rows: beginning one, giving it up, and dropping tables that readers have left.

A replay is the projection that it builds beside the live one. There is one at a time, and whoever works on it
(``replaying.py``) may die anywhere.
"""

import logging
from datetime import timedelta
from functools import partial

from django.db import OperationalError, transaction
from django.utils import timezone

from jobs.waking import wake
from timestamps.errors import ReplayRefused
from timestamps.jobs import REPLAY
from timestamps.livetable import live_of
from timestamps.locks import lock_table, lock_tables
from timestamps.models import RecordTable, TableState
from timestamps.tables import create_record_table, drop_record_table
from timestamps.types import START, Position

logger = logging.getLogger(__name__)

REBUILD = "rebuild"  # name of replays that nobody asked for
DROP_AFTER = timedelta(minutes=10)  # longer than any reader holds on to a table's number


def start_replay(name: str, after: Position = START) -> RecordTable:
    """Begin to build a table beside the live one, from the log's entries after ``after``; copies the records before.

    Returns: its row, or that of the replay of this name that is being built already.
    Raises:  ReplayRefused: another is being built, or the live table does not reach that far; NoLiveTable.
        DatabaseError.
    """
    building = running_replay() or _running_or_created(name, after)
    if (building.name, building.replayed_after) != (name, after):
        raise ReplayRefused(f"Replay {building.name!r} is running (table {building.number}); cancel it first.")
    transaction.on_commit(partial(wake, REPLAY))
    return building


def rebuild() -> None:
    """Build all anew, because the live table has lost records. Does nothing when that is being done already."""
    with transaction.atomic():
        building = _building(lock_tables())
        if (building and building.replayed_after == START) or _has_failed_lately():
            return
        if building:
            _retire(building, "It copied records from a table that has lost some.")
    start_replay(REBUILD)
    logger.error("live_table_is_rebuilt")


def running_replay() -> RecordTable | None:
    return RecordTable.objects.filter(state=TableState.BUILDING).first()


def cancel_replay(number: int) -> None:
    """Readers stay with the live table; what was built is dropped later. Raises ReplayRefused: it is not running."""
    give_up(number, "It was cancelled.")


def give_up(number: int, reason: str) -> None:
    """Raises ReplayRefused: it is not running."""
    with transaction.atomic():
        table = lock_table(number)
        if table.state != TableState.BUILDING:
            raise ReplayRefused(f"Table {number} is {table.state}, so there is nothing to cancel.")
        _retire(table, reason)


def drop_retired_tables() -> list[int]:
    """Drop tables that were retired long enough ago; answers their numbers. No lock on what anybody reads."""
    old = RecordTable.objects.filter(state=TableState.RETIRED, retired_at__lt=timezone.now() - DROP_AFTER)
    return [number for number in old.values_list("number", flat=True) if _drop(number)]


@transaction.atomic
def _running_or_created(name: str, after: Position) -> RecordTable:
    tables = lock_tables()
    return _building(tables) or _create(name, after, live_of(tables))


def _building(tables: list[RecordTable]) -> RecordTable | None:
    return next((table for table in tables if table.state == TableState.BUILDING), None)


def _has_failed_lately() -> bool:
    """What went wrong or was cancelled is not begun again at once: until its table is dropped."""
    return RecordTable.objects.filter(name=REBUILD, state=TableState.RETIRED, live_at=None).exists()


def _create(name: str, after: Position, live: RecordTable) -> RecordTable:
    if after > live.position:
        raise ReplayRefused(
            f"The live table has the log through {live.position} only, so nothing can be copied beyond."
        )
    newest = RecordTable.objects.order_by("-number").values_list("number", flat=True)[0]
    table = RecordTable(number=newest + 1, state=TableState.BUILDING, name=name, is_copied=after == START)
    table.position = after
    table.from_ms, table.from_seq = after
    create_record_table(table.number)
    table.save(force_insert=True)
    return table


def _retire(table: RecordTable, reason: str) -> None:
    table.state, table.retired_at, table.error = TableState.RETIRED, timezone.now(), reason
    table.save(update_fields=["state", "retired_at", "error"])
    logger.warning("replay_given_up", extra={"table": table.number, "reason": reason})


def _drop(number: int) -> bool:
    try:
        with transaction.atomic():
            drop_record_table(number)
            RecordTable.objects.filter(pk=number).update(state=TableState.DROPPED)
    except OperationalError as error:  # somebody still reads it: next time
        logger.info("table_not_dropped_yet", extra={"table": number, "error": str(error)})
        return False
    return True
