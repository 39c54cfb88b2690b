"""``replay_timestamps``: build the records anew from the log, beside the live ones, and switch over."""

import logging
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from common.audit import AuditedCommand
from common.text.rfc3339 import NotAnInstant, read_instant
from timestamps.livetable import live_table
from timestamps.log import archive, stream
from timestamps.models import RecordTable, TableState
from timestamps.replay.proving import entries_before, entries_in_log
from timestamps.replay.replaying import replay_step
from timestamps.replay.replays import cancel_replay, running_replay, start_replay
from timestamps.types import START, Position

STEP_SECONDS = 0.5
PAUSE_SECONDS = 0.2
INTERRUPTED = 130
_NAME = "replay"
_ALL = "all would be replayed, from the log's beginning"


class Command(AuditedCommand):
    help = "Build the table of records anew from the log, beside the live one, prove the counts, and switch to it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        start = parser.add_mutually_exclusive_group()
        start.add_argument(
            "--from-time", metavar="T", help="Replay what was appended from then on (RFC 3339); copy the rest."
        )
        start.add_argument(
            "--from-position", metavar="P", help="The same from an entry's place in the log, like 1732183200000-0."
        )
        parser.add_argument("--group", metavar="NAME", default="", help=f"Name of the replay, {_NAME!r} without.")
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")
        parser.add_argument("--cancel", action="store_true", help="Give up the replay that is running.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._handle(**options)
        except RecordTable.DoesNotExist as error:
            raise CommandError("Somebody deleted the row of this replay; run the command again.") from error

    def _handle(self, *, group: str, dry_run: bool, cancel: bool, **options: Any) -> None:
        first = _first(options["from_time"], options["from_position"])
        if cancel:
            self._cancel()
        elif dry_run:
            self._tell(first)
        else:
            self._replay(_running_or_started(group, first.before() if first > START else START))

    def _cancel(self) -> None:
        running = running_replay()
        if running is None:
            raise CommandError("No replay is running.")
        cancel_replay(running.number)
        self.stdout.write(f"replay {running.name!r} is cancelled; readers stay with the live table")

    def _tell(self, first: Position) -> None:
        live, newest = live_table(), archive.current().newest()
        entries = entries_in_log()
        self.stdout.write(
            f"the log has {entries:,} entries: {newest.number:,} segments with {newest.total_entries:,}"
            f" ({newest.total_size:,} bytes), and a stream of {stream.length():,} that may overlap them\n"
            f"table {live.number} is live, with {live.records:,} records"
            + (f" through {live.position}\n" if live.position > START else ", at the log's beginning\n")
            + (f"entries from {first} on would be replayed, records before copied" if first > START else _ALL)
        )

    def _replay(self, table: RecordTable) -> None:
        try:
            table = _follow(table.number)
        except KeyboardInterrupt:
            note = (
                f"replay {table.name!r} goes on in the workers; --cancel gives it up, and this command shows it again"
            )
            raise CommandError(note, returncode=INTERRUPTED) from None
        if table.live_at is None:
            raise CommandError(f"replay {table.name!r} was given up: {table.error}")
        self.stdout.write(self.style.SUCCESS(f"table {table.number} is live, with {table.records:,} records"))


def _running_or_started(group: str, after: Position) -> RecordTable:
    """Without arguments, whatever is running is meant."""
    running = running_replay()
    return running if running and not group and after == START else start_replay(group or _NAME, after)


def _follow(number: int) -> RecordTable:
    """Work on the replay with a progress bar until it has ended; while a worker has it, only watch."""
    before = entries_before(RecordTable.objects.get(pk=number).replayed_after)
    with (
        _no_lines_but_errors(),
        Progress(
            TextColumn("{task.description:9}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %  {task.completed:,.0f} of {task.total:,.0f} entries"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        ) as bar,
    ):
        task = bar.add_task(TableState.BUILDING, total=max(1, entries_in_log()))
        while (table := RecordTable.objects.get(pk=number)).state == TableState.BUILDING:
            _show(bar, task, table, before)
            if not replay_step(STEP_SECONDS):
                time.sleep(PAUSE_SECONDS)
        _show(bar, task, table, before)
    return table


def _show(bar: Progress, task: TaskID, table: RecordTable, before: int) -> None:
    what = table.error or ("copying" if not table.is_copied else table.state)
    done = before + table.entries if table.is_copied else min(before, table.records)
    bar.update(task, description=what, completed=done)


@contextmanager
def _no_lines_but_errors() -> Iterator[None]:
    """This process works on the replay too, and what it logs of that would tear the bar apart."""
    lines = logging.getLogger("timestamps")
    level = lines.level
    lines.setLevel(logging.ERROR)
    try:
        yield
    finally:
        lines.setLevel(level)


def _first(from_time: str | None, from_position: str | None) -> Position:
    """The first position that is replayed; START: all are. Raises CommandError."""
    try:
        if from_time:
            return Position(max(0, int(read_instant(from_time).timestamp() * 1000)), 0)
        position = Position.parse(from_position) if from_position else START
        if max(position) >= 2**63:
            raise ValueError(from_position)
        return position
    except NotAnInstant as error:
        raise CommandError(f"--from-time: {error}") from error
    except ValueError as error:
        raise CommandError("--from-position must look like 1732183200000-0.") from error
