"""Proof that the log is whole: the archive's chain, every segment, and that archive and stream touch."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from django.conf import settings

from timestamps.errors import ArchiveIsBroken
from timestamps.log import stream
from timestamps.log.archive import Archive
from timestamps.log.lines import line_position
from timestamps.log.segments import Manifest
from timestamps.log.trimming import check_segment, compare_with_stream
from timestamps.types import START, Position


class Verdict(NamedTuple):
    """What was looked at, and all that is wrong: one sentence for each problem, with the name of its file.

    ``archived`` are entries in segments that are whole, ``only_in_stream`` those of the stream that no segment has yet,
    ``losses`` what an operator has accepted as lost.
    """

    segments: int
    archived: int
    only_in_stream: int
    problems: list[str]
    losses: list[Manifest]


def verify_log(tell: Callable[[int, int], None] = lambda done, total: None) -> Verdict:
    """Read the whole archive, and what the stream has in common with it.

    Args:    tell: called after each segment, with how many are done and how many there are.
    Raises:  ArchiveUnavailable, RedisError.
    Source:  docs/timestamps.md.
    """
    tail = stream.tail(START, 1)
    archive_ = Archive(settings.ARCHIVE_URL)  # which has read nothing yet
    newest, archived = archive_.newest_listed(), 0
    problems: list[str] = []
    for number in range(1, newest + 1):
        try:
            archived += _check(archive_, number)
        except ArchiveIsBroken as error:
            problems.append(error.detail)
        tell(number, newest)
    if problems:
        return Verdict(newest, archived, tail.entries, problems, [])
    try:
        in_both = _check_touch(archive_, tail.low_water_mark)
    except ArchiveIsBroken as error:
        return Verdict(newest, archived, tail.entries, [error.detail], [])
    return Verdict(newest, archived, max(0, tail.entries - in_both), [], archive_.losses())


def _check(archive_: Archive, number: int) -> int:
    """How many entries the segment has. Raises ArchiveIsBroken."""
    manifest = archive_.manifest(number)
    if manifest.number != number:
        raise ArchiveIsBroken(f"Manifest {number} says that it is manifest {manifest.number}.")
    check_segment(archive_, manifest)
    if manifest.is_lost:
        return 0
    positions = map(line_position, archive_.checked_lines(manifest))
    if not all(before < after for before, after in pairwise(positions)):
        raise ArchiveIsBroken(f"Segment {manifest.segment} is not in the log's order.")
    return manifest.entries


def _check_touch(archive_: Archive, low_mark: Position) -> int:
    """How many entries both have. Raises ArchiveIsBroken: between archive and stream something is missing."""
    newest = archive_.newest()
    if newest.last < low_mark:
        raise ArchiveIsBroken(f"The archive ends at {newest.last}, and the stream begins only after {low_mark}.")
    holder = archive_.first_after(low_mark)
    if holder and archive_.manifest(holder.number - 1).last != low_mark:
        raise ArchiveIsBroken(f"The stream was trimmed through {low_mark}, which is no segment's end.")
    for number in range(holder.number if holder else newest.number + 1, newest.number + 1):
        manifest = archive_.manifest(number)
        compare_with_stream(archive_.manifest(number - 1).last, manifest, archive_.checked_lines(manifest))
    return newest.total_entries - archive_.total_through(low_mark)
