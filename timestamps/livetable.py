"""The live table: the projection that readers get."""

from collections.abc import Iterable

from timestamps.errors import NoLiveTable
from timestamps.models import RecordTable, TableState
from timestamps.types import START, Position


def live_table() -> RecordTable:
    """Raises NoLiveTable."""
    return live_of(RecordTable.objects.filter(state=TableState.LIVE))


def live_of(tables: Iterable[RecordTable]) -> RecordTable:
    """Raises NoLiveTable."""
    for table in tables:
        if table.state == TableState.LIVE:
            return table
    raise NoLiveTable


def live_position() -> Position:
    """START without a live table."""
    live = RecordTable.objects.filter(state=TableState.LIVE).first()
    return live.position if live else START
