"""Entries that a table could not take: kept with the reason, out of everybody's way until ``settling.py`` is done."""

import json
import logging
from collections.abc import Sequence

from django.db import connection

from common.uuids import HYPHENATED_UUID
from timestamps import stream
from timestamps.models import DeadLetter, DeadLetterState
from timestamps.types import Entry, Position

logger = logging.getLogger(__name__)

LOGGED_LETTERS = 100  # of one batch: lines for 5,000 take longer than all the rest of it

_BURY = """
INSERT INTO timestamps_deadletter (position_ms, position_seq, fields, reason, state, created_at)
SELECT *, 'waiting', now() FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[])
ON CONFLICT (position_ms, position_seq) DO UPDATE SET reason = EXCLUDED.reason, state = EXCLUDED.state
"""


def bury(broken: Sequence[tuple[Entry, str]]) -> None:
    """Make dead letters of entries with their reasons; inside the transaction that moves the position past them.

    Their ids stay in the index, or come back to it, so no reader of an id that was handed out gets 404: after the rows
    are written, whose locks whoever settles letters waits for.
    """
    if not broken:
        return
    broken = sorted(broken)  # by position, as all lock letters
    columns = zip(*((*entry.position, json.dumps(entry.fields), reason) for entry, reason in broken), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_BURY, [list(column) for column in columns])
    stream.keep_waiting(pair for entry, _ in broken if (pair := _index_entry(entry)))
    for entry, reason in broken[:LOGGED_LETTERS]:
        fields = {"position": str(entry.position), "reason": reason, "fields": json.dumps(entry.fields)}
        logger.error("dead_letter", extra=fields)
    if len(broken) > LOGGED_LETTERS:
        logger.error("more_dead_letters", extra={"count": len(broken) - LOGGED_LETTERS})


def waiting_index_entries() -> list[tuple[str, stream.Waiting]]:
    """What the index has of dead letters that wait: a store that came back empty is given it again."""
    letters = DeadLetter.objects.filter(state=DeadLetterState.WAITING)
    entries = [Entry(letter.position, json.loads(letter.fields)) for letter in letters]
    return [pair for entry in entries if (pair := _index_entry(entry))]


def dead_between(after: Position, through: Position) -> list[Position]:
    """Positions of the dead letters that wait there, which lie after ``after`` and not after ``through``."""
    waiting = DeadLetter.objects.filter(
        state=DeadLetterState.WAITING, position_ms__gte=after.ms, position_ms__lte=through.ms
    )
    return [letter.position for letter in waiting if after < letter.position <= through]


def _index_entry(entry: Entry) -> tuple[str, stream.Waiting] | None:
    command_id = entry.fields.get("command_id", "")
    if not HYPHENATED_UUID.fullmatch(command_id):
        return None  # nobody was ever given this
    waiting = stream.Waiting(entry.fields.get("event_timestamp", ""), entry.fields.get("correlation_id", ""))
    return command_id, waiting
