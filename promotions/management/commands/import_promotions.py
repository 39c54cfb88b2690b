"""Operator's door to imports."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from common.importcommand import ImportCommand
from common.text.textfiles import NoText
from promotions.errors import SourceUnreadable
from promotions.imports.progress import import_progress
from promotions.imports.sources import sniff
from promotions.imports.submitting import submit_import
from promotions.imports.uploads import keep_stream
from promotions.models import Import, ImportStatus
from promotions.types import ImportProgress

POLL_SECONDS = 0.2
_DONE = (ImportStatus.PUBLISHED, ImportStatus.SUPERSEDED)
_ENDED = (*_DONE, ImportStatus.QUARANTINED, ImportStatus.FAILED, ImportStatus.CANCELLED)


class Command(ImportCommand):
    help = "Replace the served promotions with a CSV file (also gzip or zstd) that the workers can read, or a pipe."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--wait", action="store_true", help="Show progress until the import has ended.")

    def handle(self, *args: Any, path: Path, wait: bool, **options: Any) -> None:
        require_stack()
        with self.reasons(path):
            submitted = _submit(path)
        self.stdout.write(f"import {submitted.id} is queued")
        if wait:
            self._report(follow_import(submitted.id))

    def _report(self, ended: ImportProgress) -> None:
        counts = (
            f"{ended.rows_loaded:,} loaded, {ended.rows_rejected:,} rejected, {ended.rows_duplicate:,} duplicate, "
            f"{ended.rows_blank:,} blank"
        )
        if ended.status not in _DONE:
            raise CommandError(f"import {ended.id} is {ended.status}: {ended.error or 'no reason given'} ({counts})")
        self.stdout.write(self.style.SUCCESS(f"import {ended.id} is {ended.status}: {counts}"))


def _submit(path: Path) -> Import:
    """Raises OSError; NoText: it is empty; CommandError: it is nothing that can be imported."""
    with path.open("rb") as file:
        if not file.seekable():
            return _submit_kept(str(path), keep_stream(file))
        if not file.read(1):
            raise NoText("Is empty.")
    _sniff(path)
    path, root = path.resolve(), settings.IMPORT_ROOT.resolve()
    return submit_import(str(path.relative_to(root) if path.is_relative_to(root) else path), path)


def _submit_kept(source: str, kept: Path) -> Import:
    try:
        if not kept.stat().st_size:
            raise NoText("Is empty.")
        _sniff(kept)
        return submit_import(source, kept, is_upload=True)
    except BaseException:
        kept.unlink(missing_ok=True)
        raise


def _sniff(path: Path) -> None:
    try:
        sniff(path)
    except SourceUnreadable as error:
        raise CommandError(error.detail) from error


def require_stack() -> None:
    """Raises: CommandError: PostgreSQL does not answer, which says what to do about it."""
    try:
        connection.ensure_connection()
    except OperationalError as error:
        raise CommandError(
            f"PostgreSQL does not answer for DATA_DIR {settings.DATA_DIR}: start `make run` first, with that DATA_DIR."
        ) from error


def follow_import(import_id: int) -> ImportProgress:
    """Draw a progress bar until the import has ended."""
    with Progress(
        TextColumn("{task.description:9}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %  {task.fields[rate]:>9} rows/s  ETA {task.fields[eta]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("queued", total=None, rate="-", eta="-")
        while (now := import_progress(import_id)).status not in _ENDED:
            _show(bar, task, now)
            time.sleep(POLL_SECONDS)
        _show(bar, task, now)
    return now


def _show(bar: Progress, task: TaskID, now: ImportProgress) -> None:
    bar.update(
        task,
        description=now.status,
        total=now.bytes_total or None,
        completed=now.bytes_done,
        rate=f"{now.rows_per_second:,}" if now.rows_per_second else "-",
        eta="-" if now.eta_seconds is None else f"{now.eta_seconds} s",
    )
