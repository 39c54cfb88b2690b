"""Entries that have left the stream."""

from timestamps.types import Entry, Position


def read_after(position: Position, limit: int) -> list[Entry]:
    """The next ``limit`` entries after ``position``, fewer only where a segment ends; empty: none is archived."""
    raise NotImplementedError
