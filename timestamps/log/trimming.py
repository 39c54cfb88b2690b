"""Making room in the stream: what the database and the archive have leaves it, in whole segments.

A segment leaves the stream only after it was read back and compared, with its manifest and with the stream itself. As
only whole segments leave, what the stream and the archive have in common can be counted from manifests.
"""

from bisect import bisect_right
from collections.abc import Iterator

from django.conf import settings

from timestamps.errors import ArchiveIsBroken
from timestamps.log import archive, stream
from timestamps.log.archive import Archive
from timestamps.log.lines import line_position
from timestamps.log.segments import Manifest, sha256_of
from timestamps.models import RecordTable, TableState
from timestamps.types import START, Position

PAGE_ENTRIES = 5_000


def trim_segment() -> bool:
    """Remove the stream's oldest archived segment, if every table that is being filled has its entries.

    Returns: whether there was one to remove.
    Raises:  ArchiveIsBroken: it is not in the archive as the stream has it, so it stays in the stream.
        ArchiveUnavailable, DatabaseError, RedisError.
    """
    found, low_mark = archive.current(), stream.low_water_mark()
    manifest = found.first_after(low_mark)
    if manifest is None or manifest.last > _needed_from():
        return False
    if Archive(settings.ARCHIVE_URL).manifest(manifest.number) != manifest:
        raise ArchiveIsBroken(f"Manifest {manifest.number} is not the one that was written.")
    check_segment(found, manifest)
    compare_with_stream(low_mark, manifest, found.checked_lines(manifest))
    stream.trim(manifest.last)
    return True


def check_segment(archive_: Archive, manifest: Manifest) -> None:
    """Raises ArchiveIsBroken: the manifest does not go on where the one before it ends."""
    before = archive_.manifest(manifest.number - 1)
    check_place(before, manifest)
    if (
        manifest.number > 1
        and not before.is_lost
        and manifest.previous_sha256 != sha256_of(archive_.manifest_text(before.number))
    ):
        raise ArchiveIsBroken(
            f"Manifest {before.number} is not the one that manifest {manifest.number} was made after."
        )


def check_place(before: Manifest, manifest: Manifest) -> None:
    """The same without the chain."""
    named = (before.total_entries + manifest.entries, before.total_size + manifest.size)
    is_after = before.last <= manifest.last if manifest.is_lost else before.last < manifest.first <= manifest.last
    if not is_after or named != (manifest.total_entries, manifest.total_size):
        raise ArchiveIsBroken(f"Manifest {manifest.number} does not go on where manifest {before.number} ends.")


def compare_with_stream(low_mark: Position, manifest: Manifest, lines: list[bytes]) -> None:
    """The segment may have more: a stream that was restored lacks what came after its backup."""
    archived = iter(lines)
    if not all(line in archived for line in _stream_lines(low_mark, manifest.last)):
        raise ArchiveIsBroken(f"Segment {manifest.segment} lacks entries that the stream has.")


def _needed_from() -> Position:
    """The log up to here is in all tables that are filled from it. START without any."""
    filled = RecordTable.objects.filter(state__in=(TableState.LIVE, TableState.BUILDING))
    return min((table.position for table in filled), default=START)


def _stream_lines(after: Position, through: Position) -> Iterator[bytes]:
    while after < through and (lines := stream.read_after(after, PAGE_ENTRIES)):
        yield from lines[: bisect_right(lines, through, key=line_position)]
        after = line_position(lines[-1])
