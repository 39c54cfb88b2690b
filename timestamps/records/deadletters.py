"""Entries that a projection could not take: kept with the reason, out of the way until ``resolving.py`` is done."""

import json
import logging
from collections.abc import Sequence

from django.db import connection

from common.text.uuids import HYPHENATED_UUID
from timestamps.types import Entry

logger = logging.getLogger(__name__)

LOGGED_LETTERS = 100  # of one batch: lines for 5,000 take longer than all the rest of it

_KEEP = """
INSERT INTO timestamps_deadletter (position_ms, position_seq, command_id, fields, reason, state, created_at)
SELECT *, 'waiting', now() FROM unnest(%s::bigint[], %s::bigint[], %s::uuid[], %s::text[], %s::text[])
ON CONFLICT (position_ms, position_seq) DO UPDATE
SET reason = EXCLUDED.reason, state = EXCLUDED.state, command_id = EXCLUDED.command_id
"""


def keep_dead_letters(broken: Sequence[tuple[Entry, str]]) -> None:
    """Make dead letters of entries with their reasons; inside the transaction that moves the position past them.

    A reader finds the letter in the statement that finds no record, so an id that was handed out is never 404.
    """
    if not broken:
        return
    broken = sorted(broken)  # by position, as all lock letters
    columns = zip(*map(_row, broken), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [list(column) for column in columns])
    for entry, reason in broken[:LOGGED_LETTERS]:
        fields = {"position": str(entry.position), "reason": reason, "fields": json.dumps(entry.fields)}
        logger.error("dead_letter", extra=fields)
    if len(broken) > LOGGED_LETTERS:
        logger.error("more_dead_letters", extra={"count": len(broken) - LOGGED_LETTERS})


def _row(broken: tuple[Entry, str]) -> tuple[int, int, str | None, str, str]:
    entry, reason = broken
    command_id = entry.fields.get("command_id", "")
    id_if_any = command_id if HYPHENATED_UUID.fullmatch(command_id) else None  # nobody was ever given another
    return *entry.position, id_if_any, json.dumps(entry.fields), reason
