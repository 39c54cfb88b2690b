"""The consumer: keeps the live table up with the log."""

import logging
import time

from django.db import transaction
from django.utils import timezone

from timestamps.errors import TableIsBroken
from timestamps.locks import consumer_lease
from timestamps.log import stream
from timestamps.models import RecordTable, TableState
from timestamps.records.projecting import STEP_ENTRIES, project
from timestamps.replay.replays import rebuild
from timestamps.tables import create_record_table, drop_record_table

logger = logging.getLogger(__name__)

BUSY_SECONDS = 2.0  # then its worker may end; the next call goes on
LINGER_SECONDS = 0.3  # without an entry; longer than the command side's pause between wake-ups
GATHER_SECONDS = 0.03  # entries of this long share a transaction


def consume_log() -> int:
    """Bring the log into the live table until they are level, or for BUSY_SECONDS, unless another process does.

    Returns: entries projected.
    Raises:  DatabaseError, RedisError: a store is away; the next call goes on from there.
    Source:  docs/timestamps.md.
    """
    until = time.monotonic() + BUSY_SECONDS
    total = 0
    with consumer_lease() as is_mine:
        while is_mine:
            projected = _step() or 0
            total += projected
            if projected < STEP_ENTRIES or time.monotonic() > until:
                break
    return total


def follow_log() -> bool:
    """Consume, and stay for as long as entries come, at most BUSY_SECONDS: they become records without a message each.

    Returns: whether more may come at once. False also while another process consumes.
    Raises:  as consume_log.
    """
    until = time.monotonic() + BUSY_SECONDS
    with consumer_lease() as is_mine:
        while is_mine and time.monotonic() < until:
            projected = _step()
            if projected is None or (projected < STEP_ENTRIES and not _gather()):
                return False
    return is_mine


def _gather() -> bool:
    """Wait for the first entry that is to come, and for those right behind it; whether there is one."""
    if not stream.await_entry(stream.high_water_mark(), LINGER_SECONDS):
        return False
    time.sleep(GATHER_SECONDS)
    return True


def _step() -> int | None:
    """One transaction's worth; None: the table must be rebuilt first."""
    table = RecordTable.objects.filter(state=TableState.LIVE).first() or begin_again()
    try:
        projected = project(table.number)
    except TableIsBroken:
        rebuild()
        return None
    table.refresh_from_db()
    stream.raise_high_water_mark(table.position)
    return projected


@transaction.atomic
def begin_again() -> RecordTable:
    """Without a live row nobody knows what the tables have: an empty one becomes live, and the log fills it."""
    newest = RecordTable.objects.order_by("-number").values_list("number", flat=True).first() or 0
    logger.error("live_table_was_lost", extra={"table": newest + 1})
    drop_record_table(newest + 1)
    create_record_table(newest + 1)
    return RecordTable.objects.create(number=newest + 1, state=TableState.LIVE, live_at=timezone.now())
