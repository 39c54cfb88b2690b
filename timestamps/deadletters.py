"""Entries that no table could take: kept with the reason, out of the way of all others, tried again on demand."""

import json
import logging
from collections.abc import Collection, Sequence

from django.db import connection, transaction
from django.utils import timezone

from common.uuids import HYPHENATED_UUID
from timestamps import stream
from timestamps.decoding import decode_entries
from timestamps.locks import lock_dead_letters, lock_tables
from timestamps.models import DeadLetter, DeadLetterState
from timestamps.types import Entry, Position, Record
from timestamps.writing import write_records

logger = logging.getLogger(__name__)

RETRY_LETTERS = 1_000  # of one transaction
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
    columns = zip(*((*entry.position, json.dumps(entry.fields), reason) for entry, reason in broken), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_BURY, [list(column) for column in columns])
    stream.keep_waiting(pair for entry, _ in broken if (pair := _index_entry(entry)))
    for entry, reason in broken[:LOGGED_LETTERS]:
        fields = {"position": str(entry.position), "reason": reason, "fields": json.dumps(entry.fields)}
        logger.error("dead_letter", extra=fields)
    if len(broken) > LOGGED_LETTERS:
        logger.error("more_dead_letters", extra={"count": len(broken) - LOGGED_LETTERS})


def dead_between(after: Position, through: Position) -> list[Position]:
    """Positions of the dead letters that wait there, which lie after ``after`` and not after ``through``."""
    waiting = DeadLetter.objects.filter(
        state=DeadLetterState.WAITING, position_ms__gte=after.ms, position_ms__lte=through.ms
    )
    return [letter.position for letter in waiting if after < letter.position <= through]


def retry_dead_letters(ids: Collection[int] | None = None) -> tuple[int, int]:
    """Write dead letters into every table that has passed them.

    Args:    ids: of the rows to try; all that wait, without.
    Returns: how many are records now, and how many are still refused.
    Raises:  TableIsBroken: a table lacks records and must be rebuilt first; DatabaseError, RedisError: a store is away;
        may be repeated.
    """
    left = sorted(waiting_ids(ids))
    retried = 0
    for at in range(0, len(left), RETRY_LETTERS):
        done = _retry(left[at : at + RETRY_LETTERS])
        stream.stop_waiting([str(record.command_id) for record in done])
        retried += len(done)
    return retried, len(left) - retried


def waiting_ids(ids: Collection[int] | None = None) -> list[int]:
    waiting = DeadLetter.objects.filter(state=DeadLetterState.WAITING)
    return list((waiting if ids is None else waiting.filter(pk__in=ids)).values_list("pk", flat=True))


@transaction.atomic
def _retry(ids: Collection[int]) -> list[Record]:
    """The records that these letters have become."""
    tables = lock_tables()
    letters = {letter.position: letter for letter in lock_dead_letters(ids)}
    entries = [Entry(position, json.loads(letter.fields)) for position, letter in letters.items()]
    records, broken = decode_entries(entries)
    reasons = {entry.position: reason for entry, reason in broken}
    for table in tables:
        passed = [record for record in records if record.position <= table.position]
        inserted, refused = write_records(table.number, passed)
        reasons |= {record.position: reason for record, reason in refused}
        table.records += inserted
        table.repeats += len(passed) - len(refused) - inserted
        table.save(update_fields=["records", "repeats"])
    for position, letter in letters.items():
        letter.reason = reasons.get(position, letter.reason)
        if position not in reasons:
            letter.state, letter.retried_at = DeadLetterState.RETRIED, timezone.now()
        letter.save(update_fields=["reason", "state", "retried_at"])
    return [record for record in records if record.position not in reasons]


def _index_entry(entry: Entry) -> tuple[str, stream.Waiting] | None:
    command_id = entry.fields.get("command_id", "")
    if not HYPHENATED_UUID.fullmatch(command_id):
        return None  # nobody was ever given this
    waiting = stream.Waiting(entry.fields.get("event_timestamp", ""), entry.fields.get("correlation_id", ""))
    return command_id, waiting
