"""The log from its first entry to its last, wherever they are: archived segments, then the stream."""

from timestamps import archive, stream
from timestamps.types import Entry, Position


def read_after(position: Position, limit: int) -> list[Entry]:
    """The next entries after ``position`` in the log's order, at most ``limit``; empty only at its end.

    Raises: RedisError: the truth store is away; and what the archive raises.
    """
    entries = stream.read_after(position, limit)
    return archive.read_after(position, limit) if entries is None else entries
