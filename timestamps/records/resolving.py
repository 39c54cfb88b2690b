"""How the wait of dead letters ends: their ids have become records, by a retry or as a table was projected.

A letter waits while the live table lacks its id, or a table that may become the live one does and has passed it:
readers are answered from the letter then. First tables are written, then the letter's row, so whoever comes after a
death sees what is left to do.
"""

from collections.abc import Collection, Container, Iterator
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from timestamps.livetable import live_of
from timestamps.locks import lock_dead_letters, lock_tables
from timestamps.models import DeadLetter, DeadLetterState, RecordTable, TableState
from timestamps.records.decoding import decode_entries
from timestamps.records.writing import write_records
from timestamps.tables import ids_in
from timestamps.types import Position, Record

RETRY_LETTERS = 1_000  # of one transaction


def retry_dead_letters(ids: Collection[int] | None = None) -> tuple[int, int]:
    """Write dead letters into every table that has passed them.

    Args:    ids: of the rows to try; all that wait, without.
    Returns: how many are records now, and how many still wait.
    Raises:  TableIsBroken: a table lacks records and must be rebuilt first; NoLiveTable; DatabaseError, RedisError: a
        store is away; may be repeated.
    """
    chunks = list(_chunks(waiting_ids(ids)))
    for chunk in chunks:
        _write_again(chunk)
    retried = sum(map(_resolve, chunks))
    return retried, sum(map(len, chunks)) - retried


def resolve_dead_letters() -> int:
    """End the wait of letters whose ids are records by now, of retries that died too; how many.

    Raises: DatabaseError, RedisError: a store is away; may be repeated.
    """
    return sum(map(_resolve, _chunks(waiting_ids())))


def waiting_ids(ids: Collection[int] | None = None) -> list[int]:
    waiting = DeadLetter.objects.filter(state=DeadLetterState.WAITING)
    return list((waiting if ids is None else waiting.filter(pk__in=ids)).values_list("pk", flat=True))


def waiting_command_ids() -> list[UUID]:
    """Of the letters that can be decoded."""
    records, _ = decode_entries([letter.entry for letter in DeadLetter.objects.filter(state=DeadLetterState.WAITING)])
    return [UUID(record.command_id) for record in records]


def _chunks(ids: list[int]) -> Iterator[list[int]]:
    ids = sorted(ids)
    return (ids[at : at + RETRY_LETTERS] for at in range(0, len(ids), RETRY_LETTERS))


@transaction.atomic
def _write_again(ids: Collection[int]) -> None:
    tables = lock_tables()
    live = live_of(tables)
    letters = lock_dead_letters(ids)
    records, broken = decode_entries([letter.entry for letter in letters])
    reasons = {entry.position: reason for entry, reason in broken}
    for table in [live, *(table for table in tables if table != live)]:
        inserted, refused = write_records(table.number, [one for one in records if _is_due(one, table, reasons)])
        reasons |= {record.position: reason for record, reason in refused}
        table.records += inserted
        table.save(update_fields=["records"])
    for letter in letters:
        letter.reason = reasons.get(letter.position, letter.reason)
    DeadLetter.objects.bulk_update(letters, ["reason"])


def _is_due(record: Record, table: RecordTable, reasons: Container[Position]) -> bool:
    """Whether the table is to have the record now: what it has yet to pass it projects later. The live table comes
    first: of what is copied from there a table that is being built has neither more nor less."""
    is_copied = record.position <= table.replayed_after
    return record.position <= table.position and not (is_copied and record.position in reasons)


def _resolve(ids: Collection[int]) -> int:
    """Looks without locks first: many letters may wait for long."""
    if not _resolved_keys(list(DeadLetter.objects.filter(pk__in=ids, state=DeadLetterState.WAITING))):
        return 0
    with transaction.atomic():
        keys = _resolved_keys(lock_dead_letters(ids))
        resolved = DeadLetter.objects.filter(pk__in=keys)
        return resolved.update(state=DeadLetterState.RETRIED, retried_at=timezone.now())


def _resolved_keys(letters: list[DeadLetter]) -> list[int]:
    """Keys of letters that need not wait."""
    keys = {letter.position: letter.pk for letter in letters}
    records, _ = decode_entries([letter.entry for letter in letters])
    tables = list(RecordTable.objects.filter(state__in=(TableState.LIVE, TableState.BUILDING)))
    if all(table.state != TableState.LIVE for table in tables):
        return []
    for table in tables:
        found = ids_in(table.number, [UUID(record.command_id) for record in records])
        records = [record for record in records if UUID(record.command_id) in found or _is_ahead(record, table)]
    return [keys[record.position] for record in records]


def _is_ahead(record: Record, table: RecordTable) -> bool:
    return table.state == TableState.BUILDING and record.position > table.position
