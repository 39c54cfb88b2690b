"""Entries that have left the stream.

What the archive holds is read from the archive alone: it outlives every database. A segment counts from the moment
that its manifest is there; a segment's file without one is what a killed archiver left. Manifests are never changed, so
a process keeps those it has read until it meets trouble, and of segments the last one it has opened.
"""

from bisect import bisect_right
from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

import zstandard
from django.conf import settings

from timestamps.errors import ArchiveIsBroken
from timestamps.log.archivestore import ArchiveStore
from timestamps.log.lines import line_position
from timestamps.log.segments import (
    NO_MANIFEST,
    Manifest,
    load_manifest,
    manifest_name,
    sha256_of,
    unpack,
)
from timestamps.types import Position

P = ParamSpec("P")
R = TypeVar("R")

BEGUN = "begun.json"  # of an archive that may have no segment yet


def current() -> "Archive":
    """The archive of ARCHIVE_URL, with what this process knows of it."""
    return _archive_at(settings.ARCHIVE_URL)


def read_anew_after_trouble(work: Callable[P, R]) -> Callable[P, R]:
    """For work that goes on in a later call: what this process knows may be the trouble, a manifest that was lost."""

    @wraps(work)
    def watched(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        except ArchiveIsBroken:
            _archive_at.cache_clear()
            raise

    return watched


class Archive:
    """Segments and their manifests. All methods raise ArchiveUnavailable and ArchiveIsBroken."""

    def __init__(self, url: str) -> None:
        self.store = ArchiveStore(url)
        self._manifests: dict[int, Manifest] = {0: NO_MANIFEST}
        self._assumed: dict[int, bytes] = {}
        self._newest = 0
        self._open: tuple[str, list[bytes]] = ("", [])

    def newest(self) -> Manifest:
        """NO_MANIFEST while the archive is empty."""
        if self._newest == 0:
            self._newest = self.newest_listed()
        while self._find(self._newest + 1):
            self._newest += 1
        return self.manifest(self._newest)

    def is_begun(self) -> bool:
        """Whether there ever was an archive here. One that is not mounted, or the wrong folder, has no sign of it."""
        return self.newest().number > 0 or BEGUN in self.store.names()

    def begin(self) -> None:
        """Leave the sign."""
        if not self.is_begun():
            self.store.write(BEGUN, b"{}\n")

    def newest_listed(self) -> int:
        """The highest number that any manifest has, readable or not; 0: there is none."""
        stems = [name.removesuffix(".json") for name in self.store.names()]
        return max((int(stem) for stem in stems if stem.isdigit()), default=0)

    def manifest(self, number: int) -> Manifest:
        found = self._find(number)
        if found is None:
            raise ArchiveIsBroken(f"Manifest {manifest_name(number)} is missing.")
        return found

    def manifest_text(self, number: int) -> bytes:
        """As stored, which is what the next one's hash is of."""
        try:
            return self._assumed.get(number) or self.store.read(manifest_name(number))
        except FileNotFoundError as exc:
            raise ArchiveIsBroken(f"Manifest {manifest_name(number)} is missing.") from exc

    def read_after(self, position: Position, limit: int) -> list[bytes]:
        """Lines of the next entries after ``position``: at least one, at most ``limit``, fewer where a segment ends.

        Call it for positions whose next entry is not in the stream any more.
        Raises: ArchiveIsBroken also where it lacks that entry.
        """
        manifest = self.first_after(position)
        if manifest is None:
            raise ArchiveIsBroken(f"The entries after {position} are neither in the stream nor in the archive.")
        lines = self._lines(manifest)
        start = bisect_right(lines, position, key=line_position)
        return lines[start : start + limit]

    def first_after(self, position: Position) -> Manifest | None:
        """Of the first segment that holds an entry after ``position``; None when all are before."""
        newest = self.manifest(self._newest)
        if newest.last <= position:
            newest = self.newest()
        numbers = range(1, newest.number + 1)
        found = bisect_right(numbers, position, key=lambda number: self.manifest(number).last)
        return self.manifest(numbers[found]) if found < len(numbers) else None

    def loss_after(self, position: Position) -> Manifest | None:
        """Of what is accepted as lost, where the entries after ``position`` would be."""
        manifest = self.first_after(position)
        return manifest if manifest and manifest.is_lost else None

    def losses(self) -> list[Manifest]:
        """All that is accepted as lost."""
        stems = [name.removesuffix(".lost") for name in self.store.names()]
        manifests = [self.manifest(int(stem)) for stem in sorted(stems) if stem.isdigit()]
        return [manifest for manifest in manifests if manifest.is_lost]

    def entries_through(self, position: Position) -> int:
        """How many archived entries are not after ``position``."""
        lost = sum(manifest.entries for manifest in self.losses() if manifest.last <= position)
        return self.total_through(position) - lost

    def total_through(self, position: Position) -> int:
        """The same with those that were lost."""
        manifest = self.first_after(position)
        if manifest is None:
            return self.newest().total_entries
        before = manifest.total_entries - manifest.entries
        if position < manifest.first or manifest.is_lost:
            return before
        return before + bisect_right(self._lines(manifest), position, key=line_position)

    def checked_lines(self, manifest: Manifest) -> list[bytes]:
        """A segment's lines, read anew and compared with all that its manifest says."""
        if manifest.is_lost:
            raise ArchiveIsBroken(f"Segment {manifest.number} is accepted as lost.")
        try:
            content = self.store.read(manifest.segment)
        except FileNotFoundError as exc:
            raise ArchiveIsBroken(f"Segment {manifest.segment} is missing.") from exc
        if (len(content), sha256_of(content)) != (manifest.size, manifest.sha256):
            raise ArchiveIsBroken(f"Segment {manifest.segment} is not what was archived: its SHA-256 differs.")
        try:
            lines = unpack(content)
            ends = (len(lines), line_position(lines[0]), line_position(lines[-1]))
        except (zstandard.ZstdError, ValueError, KeyError, IndexError) as exc:
            raise ArchiveIsBroken(f"Segment {manifest.segment} cannot be read: {exc}") from exc
        if ends != (manifest.entries, manifest.first, manifest.last):
            raise ArchiveIsBroken(f"Segment {manifest.segment} holds other entries than its manifest says.")
        return lines

    def assume(self, manifest: Manifest) -> None:
        """As if it were there already, for this object alone."""
        self._manifests[manifest.number] = manifest
        self._assumed[manifest.number] = manifest.dump()

    def _lines(self, manifest: Manifest) -> list[bytes]:
        """Kept, as whoever reads on asks for the next ones: some 30 MB for 100,000 entries."""
        if self._open[0] != manifest.segment:
            self._open = ("", [])  # before the next is read: never two in memory
            self._open = (manifest.segment, self.checked_lines(manifest))
        return self._open[1]

    def _find(self, number: int) -> Manifest | None:
        if number not in self._manifests:
            try:
                manifest = load_manifest(self.store.read(manifest_name(number)))
            except FileNotFoundError:
                return None
            except ValueError as exc:
                raise ArchiveIsBroken(f"Manifest {manifest_name(number)} cannot be read: {exc}") from exc
            if manifest.is_lost:  # until it is put back
                return manifest
            self._manifests[number] = manifest
        return self._manifests[number]


@cache
def _archive_at(url: str) -> Archive:
    return Archive(url)
