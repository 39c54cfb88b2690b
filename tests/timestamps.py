"""What tests about timestamps share: an empty log with a live table at its start, and appending by hand."""

from uuid import UUID

from django.db import connection

from common import valkey
from timestamps import stream
from timestamps.models import DeadLetter, RecordTable, TableState
from timestamps.tables import create_record_table, record_table
from timestamps.types import START, Position


def empty_everything() -> None:
    """Stores as after the first migration. FLUSHDB: other test processes have other databases."""
    valkey.truth().flushdb()
    stream.set_trimmed_once(START)
    valkey.cache_store().flushdb()
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'timestamps_record\\_%'")
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {name}")
    DeadLetter.objects.all().delete()
    RecordTable.objects.all().delete()
    create_record_table(1)
    RecordTable.objects.create(number=1, state=TableState.LIVE)


def put_entry(fields: dict[str, str | bytes]) -> Position:
    """Into the stream as it stands, whole or broken."""
    name = valkey.truth().xadd(stream.stream_key(), fields)  # type: ignore[arg-type]
    return Position.parse(str(name, "ascii"))  # type: ignore[arg-type]


def rows(number: int = 1) -> list[tuple[UUID, str, UUID]]:
    """Every record of a table in the log's order."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT command_id, event_timestamp, correlation_id FROM {record_table(number)}"
            " ORDER BY position_ms, position_seq"
        )
        return [(command, f"{event:%Y-%m-%dT%H:%M:%S.%fZ}", correlation) for command, event, correlation in cursor]
