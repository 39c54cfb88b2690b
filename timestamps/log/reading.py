"""The log from its first entry to its last, wherever they are: archived segments, then the stream."""

from timestamps.log import archive, stream
from timestamps.log.lines import line_position
from timestamps.log.recovery import recover_log
from timestamps.types import Position


@archive.read_anew_after_trouble
def read_after(position: Position, limit: int) -> list[bytes]:
    """Lines of the next entries after ``position`` in the log's order: ``limit``, or all that there are.

    What is accepted as lost is passed over.

    Raises: RedisError: the truth store is away; ArchiveUnavailable; ArchiveIsBroken: it lacks the next entry.
    """
    lines: list[bytes] = []
    while len(lines) < limit:
        page = read_stream_after(position, limit - len(lines))
        if page is not None:
            return lines + page
        archive_ = archive.current()
        if loss := archive_.loss_after(position):
            position = loss.last
        else:
            lines += archive_.read_after(position, limit - len(lines))
            position = line_position(lines[-1])
    return lines


def read_stream_after(position: Position, limit: int) -> list[bytes] | None:
    """The same from the stream alone; None where the next entry has left it."""
    found = stream.read_after(position, limit)
    if found is None and (recover_log() or position >= stream.low_water_mark()):  # it has recovered meanwhile
        found = stream.read_after(position, limit)
    return found
