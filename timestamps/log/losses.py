"""When segments or manifests are lost for good: going on without them, with the loss on record in the archive.

In the place of a lost segment comes a manifest without one. Readers pass it over, and ``verify_log`` names it for ever.
The manifest that was there is kept beside it. What can be made again is no loss: a manifest whose segment is whole, and
segments of which the stream still has every entry.
"""

from contextlib import suppress
from typing import NamedTuple

from django.conf import settings
from django.db import connection

from timestamps.errors import ArchiveIsBroken
from timestamps.livetable import live_position, live_table
from timestamps.log import stream
from timestamps.log.archive import Archive
from timestamps.log.archiving import chain_after, manifest_of
from timestamps.log.segments import Manifest, loss_name, manifest_name, segment_name, sha256_of, unpack
from timestamps.log.trimming import check_place
from timestamps.tables import record_table
from timestamps.types import START, Position

_COUNT = """
SELECT count(*) FROM {table}
WHERE (position_ms, position_seq) >= (%s, %s) AND (position_ms, position_seq) <= (%s, %s)
"""


class Plan(NamedTuple):
    """What is to be done so that archiving and rebuilds go on.

    Attributes:
        found: manifests whose segments are whole.
        losses: manifests without a segment, for what is lost.
        again: numbers of segments that are archived again, from the stream.
        seen: the stores as they were then: the archiver goes on meanwhile.
    """

    found: list[Manifest]
    losses: list[Manifest]
    again: range
    seen: tuple[int, stream.State]

    @property
    def is_empty(self) -> bool:
        return not (self.found or self.losses or self.again)


def plan_repair() -> Plan:
    """Read the whole archive, and say what is damaged.

    Raises: ArchiveIsBroken: it does not fit together in any way; ArchiveUnavailable, RedisError, DatabaseError.
    """
    looked_at = Archive(settings.ARCHIVE_URL)
    newest, state = seen = _look()
    plan = Plan([], [], range(0), seen)
    for number in range(1, newest + 1):
        before = looked_at.manifest(number - 1)
        if _is_whole(looked_at, before, number):
            continue
        if state.is_open and before.last >= (state.low_water_mark or START):
            return plan._replace(again=range(number, newest + 1))
        _plan_for(looked_at, before, number, plan)
    _plan_end(looked_at, newest, state, plan)
    return plan


def repair(plan: Plan) -> None:
    """Do it; under the archiver's lease. After a death anywhere another plan finishes it.

    Raises: ArchiveIsBroken: the archive or the stream's mark is another than when the plan was made.
    """
    newest, state = _look()
    if (newest, state.is_open, state.low_water_mark) != (
        plan.seen[0],
        plan.seen[1].is_open,
        plan.seen[1].low_water_mark,
    ):
        raise ArchiveIsBroken("Something was archived or trimmed meanwhile; try again.")
    written = Archive(settings.ARCHIVE_URL)
    for number in reversed(plan.again):
        with suppress(FileNotFoundError):
            written.store.delete(manifest_name(number))
    for loss in plan.losses:
        with suppress(FileExistsError):
            written.store.write_once(loss_name(loss.number), _text_of(written, loss.number))
    for manifest in sorted([*plan.found, *plan.losses]):
        written.store.write(manifest_name(manifest.number), manifest.dump())


def _look() -> tuple[int, stream.State]:
    return Archive(settings.ARCHIVE_URL).newest_listed(), stream.state()


def described(loss: Manifest) -> str:
    entries = f"{loss.entries:,} entries" if loss.entries else "an unknown number of entries, perhaps none,"
    return f"segment {loss.number} with {entries} from {loss.first} through {loss.last}"


def records_of(loss: Manifest) -> int:
    """How many records of the live table came from there: only the database has them. Raises DatabaseError."""
    return _records_between(loss.first, loss.last) if loss.last >= loss.first else 0


def _is_whole(looked_at: Archive, before: Manifest, number: int) -> bool:
    try:
        manifest = looked_at.manifest(number)
        check_place(before, manifest)
        if not manifest.is_lost:
            looked_at.checked_lines(manifest)
    except ArchiveIsBroken:
        return False
    return manifest.number == number and (before.is_lost or manifest.previous_sha256 == chain_after(looked_at, before))


def _plan_for(looked_at: Archive, before: Manifest, number: int, plan: Plan) -> None:
    if manifest := _found_again(looked_at, before, number):
        plan.found.append(manifest)
    else:
        manifest = _loss(looked_at, before, number)
        plan.losses.append(manifest)
    looked_at.assume(manifest)


def _plan_end(looked_at: Archive, newest: int, state: stream.State, plan: Plan) -> None:
    """What the stream was trimmed through was archived; without mark and archive, what was projected was."""
    through = state.low_water_mark or (START if looked_at.is_begun() else live_position())
    while (before := looked_at.manifest(newest)).last < through:
        newest += 1
        if manifest := _found_again(looked_at, before, newest):
            plan.found.append(manifest)
        else:
            manifest = _loss_through(looked_at, before, through)
            plan.losses.append(manifest)
        looked_at.assume(manifest)


def _found_again(looked_at: Archive, before: Manifest, number: int) -> Manifest | None:
    """The manifest of a segment that is there, and is what its name says."""
    for name in looked_at.store.names():
        if name.startswith(f"{number:012d}-"):
            content = looked_at.store.read(name)
            if segment_name(number, sha256_of(content)) == name:
                manifest = manifest_of(looked_at, before, unpack(content), content)
                if before.last < manifest.first:
                    return manifest
    return None


def _loss(looked_at: Archive, before: Manifest, number: int) -> Manifest:
    """From its own manifest, or from what those on both sides of it leave open."""
    with suppress(ArchiveIsBroken):
        own = looked_at.manifest(number)
        check_place(before, own)
        return own._replace(number=number, segment="", sha256="")
    with suppress(ArchiveIsBroken):
        after = looked_at.manifest(number + 1)
        entries = after.total_entries - after.entries - before.total_entries
        size = after.total_size - after.size - before.total_size
        return _empty(looked_at, before)._replace(
            last=after.first.before(),
            entries=entries,
            total_entries=before.total_entries + entries,
            size=size,
            total_size=before.total_size + size,
        )
    return _empty(looked_at, before)


def _loss_through(looked_at: Archive, before: Manifest, through: Position) -> Manifest:
    """No manifest says what was there; the records that came from it do."""
    empty = _empty(looked_at, before)
    entries = _records_between(empty.first, through)
    return empty._replace(last=through, entries=entries, total_entries=before.total_entries + entries)


def _empty(looked_at: Archive, before: Manifest) -> Manifest:
    first, chain = before.last.after(), chain_after(looked_at, before)
    return Manifest(before.number + 1, "", first, before.last, 0, before.total_entries, 0, before.total_size, "", chain)


def _text_of(written: Archive, number: int) -> bytes:
    try:
        return written.manifest_text(number)
    except ArchiveIsBroken:
        return b""


def _records_between(first: Position, last: Position) -> int:
    with connection.cursor() as cursor:
        table = record_table(live_table().number)
        cursor.execute(_COUNT.format(table=table), [*first, *last])
        return int(cursor.fetchone()[0])
