"""Ids of timestamps: UUIDs of version 7 (RFC 9562) that say where in the log their entry is.

| bits | |
|---|---|
| 48 | milliseconds of the position |
| 4 | the version, 7 |
| 12 | upper half of the position's sequence number |
| 4 | the variant and two zeros, 8 |
| 12 | lower half of the sequence number |
| 16 | the partition of the log, 0 |
| 32 | random, the same for all entries of a submission |

So ids sort as the log does, and no index is needed to find the entry of one. The script that appends makes them.
"""

from collections.abc import Iterator
from uuid import UUID

from timestamps.types import Position

SEQUENCE_BITS = 24
_HALF = 0xFFF
_FIXED = 0xF << 76 | 0xF << 60 | 0xFFFF << 32
_FIXED_VALUE = 7 << 76 | 8 << 60


def id_at(position: Position, random: str) -> str:
    """The id of the entry at ``position``; ``random`` is eight hexadecimal digits."""
    ms, seq = position
    return f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7{seq >> 12:03x}-8{seq & _HALF:03x}-0000{random}"


def position_of(command_id: UUID) -> Position | None:
    """Where its entry is, if there is one; None of an id that no append makes."""
    number = command_id.int
    if number & _FIXED != _FIXED_VALUE:
        return None
    return Position(number >> 80, (number >> 64 & _HALF) << 12 | number >> 48 & _HALF)


def ids_from(first: UUID, count: int) -> Iterator[str]:
    """Of a submission with ``count`` entries."""
    text = str(first)
    position = position_of(first)
    if position is None:  # of an idempotency record from before ids had a position: the last eight digits count up
        return (f"{text[:-8]}{int(text[-8:], 16) + at:08x}" for at in range(count))
    return (id_at(Position(position.ms, position.seq + at), text[-8:]) for at in range(count))
