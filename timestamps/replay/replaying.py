"""Building a table from the log beside the live one, and making it the live one.

First the records before the replay's beginning are copied, in slices by id; then the log is projected from there on,
from archive and stream in turns. When the table is level with the log, its counts are proved. Then the consumer is held
up for the last entries, and the pointer moves in one transaction. Each step is committed with where it ended, so
whoever comes after a death goes on from there.
"""

import logging
import time
from contextlib import suppress

from django.db import connection, transaction
from django.utils import timezone

from timestamps.errors import ArchiveIsBroken, ArchiveUnavailable, NoLiveTable, ReplayRefused, TableIsBroken
from timestamps.livetable import live_of
from timestamps.locks import consumer_lease, lock_table, lock_tables, replay_lease
from timestamps.log import stream
from timestamps.models import RecordTable, TableState
from timestamps.records.projecting import STEP_ENTRIES, is_whole, project
from timestamps.records.resolving import resolve_dead_letters, waiting_command_ids
from timestamps.replay.proving import copied_table, counts_are_proved
from timestamps.replay.replays import give_up, running_replay
from timestamps.tables import ids_in, record_table

logger = logging.getLogger(__name__)

BUSY_SECONDS = 2.0  # of one call on a worker that others need too
HOLD_UP_SECONDS = 8.0  # longer than a consumer is busy
COPY_RECORDS = 20_000
_NO_ID = "00000000-0000-0000-0000-000000000000"

_COPY = """
WITH slice AS MATERIALIZED (
    SELECT * FROM {live} WHERE command_id > %(after)s ORDER BY command_id LIMIT %(limit)s
), copied AS (
    INSERT INTO {building} SELECT * FROM slice WHERE (position_ms, position_seq) <= (%(ms)s, %(seq)s)
    ON CONFLICT DO NOTHING RETURNING command_id
)
SELECT (SELECT command_id FROM slice ORDER BY command_id DESC LIMIT 1), (SELECT count(*) FROM copied),
       (SELECT command_id FROM copied LIMIT 1)
"""


def replay_step(seconds: float = BUSY_SECONDS) -> bool:
    """Go on with the running replay for about so long, one step at least; switch to its table when it is complete.

    Returns: whether there is more to do at once. False also while another process works on it.
    Raises:  DatabaseError, RedisError: a store is away; the next call goes on from there.
    Source:  docs/timestamps.md.
    """
    until = time.monotonic() + seconds
    with replay_lease() as is_mine:
        if not is_mine:
            return False
        while table := running_replay():
            if not _try_step(table):
                return False
            if time.monotonic() > until:
                return running_replay() is not None
    return False


def _try_step(table: RecordTable) -> bool:
    """One transaction's worth. False: it cannot go on now, and the row says why."""
    try:
        _step(table)
    except (TableIsBroken, ReplayRefused) as error:
        with suppress(ReplayRefused):  # it was cancelled meanwhile
            give_up(table.number, error.detail)
    except (ArchiveIsBroken, ArchiveUnavailable, NoLiveTable) as error:
        RecordTable.objects.filter(pk=table.number).update(error=error.detail)
        logger.error("replay_waits", extra={"table": table.number, "error": error.detail})
        return False
    return True


def _step(table: RecordTable) -> None:
    if not table.is_copied:
        copy_slice(table.number)
    elif project(table.number) < STEP_ENTRIES and counts_are_proved(table.number):
        switch(table.number)


def copy_slice(number: int) -> None:
    """Copy the next live records that are before the replay's beginning."""
    with transaction.atomic():
        table = lock_table(number)
        if table.state != TableState.BUILDING:
            return
        through, copied, one_of_them = _copy(table)
        table.copied_through = through or table.copied_through
        table.is_copied = through is None
        table.records += copied
        table.last_command_id = one_of_them or table.last_command_id
        table.save(update_fields=["copied_through", "is_copied", "records", "last_command_id"])


def switch(number: int) -> bool:
    """Hold the consumer up, project the last entries, and make the table live; whether the consumer gave way."""
    _catch_up(number)  # with what came while counts were proved, so that the consumer is held up for a moment only
    with consumer_lease(wait_seconds=HOLD_UP_SECONDS) as is_mine:
        if is_mine:
            _catch_up(number)
            _change_over(number)
    if is_mine:
        resolve_dead_letters()
    return is_mine


def _catch_up(number: int) -> None:
    while project(number) == STEP_ENTRIES:
        pass


def _change_over(number: int) -> None:
    with transaction.atomic():
        tables = {table.state: table for table in lock_tables()}
        building = tables.get(TableState.BUILDING)
        if building is None or building.number != number:
            return
        live = live_of([*tables.values()])
        _refuse_loss(live, building)
        live.state, live.retired_at = TableState.RETIRED, timezone.now()
        live.save(update_fields=["state", "retired_at"])
        building.state, building.live_at, building.error = TableState.LIVE, timezone.now(), ""
        building.save(update_fields=["state", "live_at", "error"])
    stream.raise_high_water_mark(building.position)
    logger.warning("table_switched", extra={"table": number, "before": live.number, "records": building.records})


def _refuse_loss(live: RecordTable, building: RecordTable) -> None:
    """A log that was lost or restored has less than a table that took it before: readers must not change over to that.

    Raises: ReplayRefused. Not when the live table has lost records itself: then what the log has is all there is.
    """
    if not is_whole(live):
        return
    if building.position < live.position:
        raise ReplayRefused(f"The log ends at {building.position}, before the live table at {live.position}.")
    dead = waiting_command_ids()  # which one of them may have and the other refuse
    given, taken = (table.records - len(ids_in(table.number, dead)) for table in (building, live))
    if given < taken:
        raise ReplayRefused(
            f"The replay gives {given} records only; the live table took {taken}. What the log has lost can be copied"
            " with --from-position."
        )


def _copy(table: RecordTable) -> tuple[str | None, int, str | None]:
    """Through which id, how many, and one of them."""
    live = copied_table(table)
    parameters = {
        "after": table.copied_through or _NO_ID,
        "limit": COPY_RECORDS,
        "ms": table.from_ms,
        "seq": table.from_seq,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COPY.format(live=record_table(live.number), building=record_table(table.number)), parameters)
        through, copied, one_of_them = cursor.fetchone()
    return through, copied, one_of_them
