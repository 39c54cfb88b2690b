"""From the stream into the archive, one segment after the other.

One archiver works at a time, by its lease. If two ever did, the second could not write a manifest of the same number,
and segments of other content have other names, so neither can spoil what the other wrote.
"""

import logging
import time

from django.conf import settings

from timestamps.errors import ArchiveIsBroken
from timestamps.locks import archiver_lease
from timestamps.log import archive, reading, stream
from timestamps.log.archive import Archive
from timestamps.log.lines import line_position
from timestamps.log.segments import (
    CHAIN_START,
    Manifest,
    manifest_name,
    pack,
    segment_name,
    sha256_of,
)
from timestamps.log.trimming import PAGE_ENTRIES, trim_segment
from timestamps.types import Position

logger = logging.getLogger(__name__)

LEASE_WAIT_SECONDS = 5  # a segment of the usual size takes less


@archive.read_anew_after_trouble
def archive_step() -> bool:
    """Archive the next segment, if one is due, and trim one that is archived, if nobody needs it any more.

    Returns: whether there may be more to do at once. False also while another archiver works.
    Raises:  ArchiveIsBroken, ArchiveUnavailable, DatabaseError, RedisError: nothing is lost, the next call goes on.
    Source:  docs/timestamps.md.
    """
    with archiver_lease() as is_mine:
        if not is_mine:
            return False
        has_written = write_due_segment()
        return trim_segment() or has_written


@archive.read_anew_after_trouble
def archive_waiting() -> int | None:
    """Archive whatever waits at the call, however little and young; how many entries that are.

    Returns: None while another archiver works; call again.
    Raises:  as archive_step.
    """
    through = stream.state().last
    with archiver_lease(wait_seconds=LEASE_WAIT_SECONDS) as is_mine:
        if not is_mine:
            return None
        archive_ = archive.current()
        before = archive_.newest().total_entries
        while (newest := archive_.newest()).last < through and _write_next(archive_, newest):
            pass
        return newest.total_entries - before


def write_due_segment() -> bool:
    """Write what waits as one segment when it is enough or old enough; whether it was."""
    archive_ = archive.current()
    newest = archive_.newest()
    return _is_due(archive_, newest) and _write_next(archive_, newest)


def _write_next(archive_: Archive, newest: Manifest) -> bool:
    """Whether there was anything to write."""
    lines = _next_lines(newest.last, _segment_entries())
    if lines and not archive_.is_begun():  # the first segment in a folder that is not mounted
        raise ArchiveIsBroken("There is no archive at ARCHIVE_URL, and there was one. Is it mounted?")
    if lines:
        _write_segment(archive_, newest, lines)
    return bool(lines)


def _is_due(archive_: Archive, newest: Manifest) -> bool:
    waiting = _read_stream(newest.last, 1)
    if waiting and line_position(waiting[0]).age_seconds(time.time()) > settings.TIMESTAMPS_SEGMENT_SECONDS:
        return True
    still_in_stream = newest.total_entries - archive_.total_through(stream.low_water_mark())
    in_stream = stream.length()
    return in_stream - still_in_stream >= _segment_entries()


def _segment_entries() -> int:
    """A full segment must fit into the stream beside what comes meanwhile, or appends stop until it is old enough."""
    return min(settings.TIMESTAMPS_SEGMENT_ENTRIES, settings.TIMESTAMPS_MAX_BACKLOG // 2)


def _next_lines(position: Position, limit: int) -> list[bytes]:
    """Up to ``limit`` after ``position``."""
    lines: list[bytes] = []
    while len(lines) < limit and (page := _read_stream(position, min(PAGE_ENTRIES, limit - len(lines)))):
        lines += page
        position = line_position(page[-1])
    return lines


def _read_stream(position: Position, limit: int) -> list[bytes]:
    lines = reading.read_stream_after(position, limit)
    if lines is None:
        raise ArchiveIsBroken(
            f"The archive ends at {position}, and the stream begins only after {stream.low_water_mark()}."
        )
    return lines


def _write_segment(archive_: Archive, previous: Manifest, lines: list[bytes]) -> None:
    content = pack(lines)
    manifest = manifest_of(archive_, previous, lines, content)
    archive_.store.write(manifest.segment, content)
    if archive_.store.read(manifest.segment) != content:
        raise ArchiveIsBroken(f"Segment {manifest.segment} reads back other than it was written.")
    try:
        archive_.store.write_once(manifest_name(manifest.number), manifest.dump())
    except FileExistsError:
        logger.warning("segment_written_by_another", extra={"number": manifest.number})
    else:
        logger.info("segment_written", extra={"segment": manifest.segment, "entries": manifest.entries})
    _delete_orphans(archive_, manifest.number)


def manifest_of(archive_: Archive, previous: Manifest, lines: list[bytes], content: bytes) -> Manifest:
    """Of a segment with these lines after ``previous``: always the same, to the byte."""
    sha256 = sha256_of(content)
    number = previous.number + 1
    return Manifest(
        number=number,
        segment=segment_name(number, sha256),
        first=line_position(lines[0]),
        last=line_position(lines[-1]),
        entries=len(lines),
        total_entries=previous.total_entries + len(lines),
        size=len(content),
        total_size=previous.total_size + len(content),
        sha256=sha256,
        previous_sha256=chain_after(archive_, previous),
    )


def chain_after(archive_: Archive, previous: Manifest) -> str:
    return sha256_of(archive_.manifest_text(previous.number)) if previous.number else CHAIN_START


def _delete_orphans(archive_: Archive, number: int) -> None:
    """Files of this number that its manifest does not name, and those never finished: no manifest ever will."""
    kept = archive_.manifest(number).segment
    archive_.store.delete_unfinished()
    for name in archive_.store.names():
        if name.startswith(f"{number:012d}-") and name != kept:
            archive_.store.delete(name)
