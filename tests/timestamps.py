"""What tests about timestamps share: an empty log with a live table at its start, and appending by hand."""

from collections.abc import Mapping
from uuid import UUID

import pytest
from django.db import connection, transaction

from common.errors import FloodgateError
from common.stores import valkey
from timestamps.ids import ids_from
from timestamps.log import stream
from timestamps.log.lines import load_entry
from timestamps.log.recovery import recover_log
from timestamps.models import DeadLetter, RecordTable, TableState
from timestamps.selectors import read_timestamps
from timestamps.services import append_timestamps
from timestamps.tables import create_record_table, record_table
from timestamps.types import Appended, Entry, Position, Query, Submission, Timestamp

committed = pytest.mark.django_db(transaction=True)
CORRELATION_ID = "123e4567-e89b-12d3-a456-426614174000"


def empty_everything() -> None:
    """Stores as after the first migration. FLUSHDB: other test processes have other databases."""
    valkey.truth().flushdb()
    valkey.cache_store().flushdb()
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'timestamps_record\\_%'")
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {name}")
    DeadLetter.objects.all().delete()
    RecordTable.objects.all().delete()
    create_record_table(1)
    RecordTable.objects.create(number=1, state=TableState.LIVE)
    recover_log()


def put_entry(fields: Mapping[str, str | bytes]) -> Position:
    """Into the stream as it stands, whole or broken."""
    name = valkey.truth().xadd(stream.stream_key(), dict(fields))  # type: ignore[arg-type]
    return Position.parse(str(name, "ascii"))  # type: ignore[arg-type]


def entries(lines: list[bytes] | None) -> list[Entry]:
    """Of what is read from the log, or a part of it that reaches that far back."""
    assert lines is not None
    return list(map(load_entry, lines))


def rows(number: int = 1) -> list[tuple[UUID, str, UUID]]:
    """Every record of a table in the log's order."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT command_id, event_timestamp, correlation_id FROM {record_table(number)}"
            " ORDER BY position_ms, position_seq"
        )
        return [(command, f"{event:%Y-%m-%dT%H:%M:%S.%fZ}", correlation) for command, event, correlation in cursor]


def append(count: int, correlation_id: str = CORRELATION_ID) -> list[UUID]:
    """This many instants, of one second after the other, in one submission; their ids."""
    instants = [f"2018-08-04T{at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d}Z" for at in range(count)]
    [appended] = append_timestamps([Submission(instants, correlation_id)])
    assert isinstance(appended, Appended)
    return list(map(UUID, ids_from(appended.first_id, appended.count)))


def read(command_id: UUID) -> Timestamp | FloodgateError:
    return read_timestamps([Query(command_id)])[0]


def build_table(number: int) -> None:
    """Beside the live one, empty."""
    create_record_table(number)
    RecordTable.objects.create(number=number, state=TableState.BUILDING)


@transaction.atomic
def make_live(number: int) -> None:
    RecordTable.objects.filter(state=TableState.LIVE).update(state=TableState.RETIRED)
    RecordTable.objects.filter(pk=number).update(state=TableState.LIVE)


def pretend_all_is_persisted() -> None:
    """As if the live table had whatever the log will have."""
    RecordTable.objects.filter(state=TableState.LIVE).update(position_ms=2**62)
    valkey.truth().set(stream.prefix() + "persisted", f"{2**62}-0")
