"""Prices in USD from a CSV file: orig_code, dest_code, day, price.

The rows are read into a temporary table and sorted by lane and day first, because prices and rollups that come in the
order of their indexes are written many times faster than in the order of a file. Then a slice of them is one
transaction with its count, so a run that was killed is run again, sorts the same rows and goes on behind that count.
A file is known by its content, so the same prices are not added twice by mistake.
"""

import hashlib
from collections.abc import Callable
from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from common.stores.sqlfiles import load_sql
from common.text.csvrows import RejectedRow, Rows, open_rows
from common.text.textfiles import blocks_of, numbered_lines, open_text, size_of
from rates.errors import ImportedAlready, ImportRunning
from rates.locks import lock_import, share_tree
from rates.models import Port, PriceImport
from rates.prices.pricerows import PRICES, RowReader

# 100,000 rows are some 250,000 rollups, for which others who add to them wait a second or two.
SLICE = 100_000
_SQL = load_sql(Path(__file__).parents[1] / "sql" / "priceimport.sql")

Progress = Callable[[str, int, int], object]


class PricesReport(NamedTuple):
    """What became of the rows of a file, in all runs of its import."""

    rows_added: int
    rows_rejected: int


def import_prices(
    path: Path,
    *,
    again: bool = False,
    on_progress: Progress = lambda phase, done, total: None,
    on_reject: Callable[[RejectedRow], object] = lambda row: None,
) -> PricesReport:
    """Add the prices of a file, or the rest of them where a run of the same file did not come to its end.

    Args:   again: add them although a file with the same content was imported.
            on_progress: told a phase and how much of it is done: bytes read, then rows added.
            on_reject: told each row that is not added, in every run.
    Raises: NoText; ImportedAlready: nothing was done. ImportRunning: another process works on this file.
            OSError: the file cannot be read; DatabaseError. Whole slices are there; run it again.
    """
    with open_text(path) as file:
        rows = open_rows(numbered_lines(file), PRICES)
        running = _begin(path, file, again=again)
        rejected = _stage(running, file, rows, on_progress, on_reject)
    total = _sort()
    while running.finished_at is None:
        on_progress("added", running.rows_added, total)
        running = _add_slice(running, total, rejected)
    on_progress("added", total, total)
    with connection.cursor() as cursor:
        cursor.execute(_SQL["drop"])
    return PricesReport(running.rows_added, running.rows_rejected)


def _begin(path: Path, file: BufferedIOBase, *, again: bool) -> PriceImport:
    """The import of this content that is not finished, or the next one."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    last = PriceImport.objects.filter(sha256=digest).order_by("-repeat").first()
    if last is not None and not last.rows_added:
        _reopen(last, path)
    if last is not None and last.finished_at is None:
        return last
    if last is not None and not again:
        raise ImportedAlready(last.path, last.finished_at)
    started, _ = PriceImport.objects.get_or_create(
        sha256=digest,
        repeat=last.repeat + 1 if last else 0,
        defaults={"path": str(path), "last_port_id": _last_port_id()},
    )
    return started


def _reopen(last: PriceImport, path: Path) -> None:
    """A finished import that added nothing is as if it never was: its ports may be there now.

    One that another process has reopened is left alone, because its rows are chosen by the ports of then.
    """
    finished = PriceImport.objects.filter(pk=last.pk, rows_added=0, finished_at__isnull=False)
    finished.update(finished_at=None, started_at=timezone.now(), path=str(path), last_port_id=_last_port_id())
    last.refresh_from_db()


def _last_port_id() -> int:
    return int(Port.objects.aggregate(last=Max("pk", default=0))["last"])


def _stage(
    running: PriceImport,
    file: BufferedIOBase,
    rows: Rows,
    on_progress: Progress,
    on_reject: Callable[[RejectedRow], object],
) -> int:
    """Good rows into a temporary table. Returns how many are rejected.

    Ports that came after the import began stay unknown to it: each run must find the same rows.
    """
    ports = Port.objects.filter(pk__lte=running.last_port_id)
    reader = RowReader(rows, dict(ports.values_list("code", "pk")), on_reject)
    size = size_of(file)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SQL["stage"])
        copying = _SQL["copy"].format(columns=", ".join(reader.columns))
        with connection.wrap_database_errors, cursor.copy(copying) as copy:
            for block in blocks_of(file):
                copy.write(b"".join(reader.read(block)))
                on_progress("read", file.tell(), size)
    return reader.rejected


def _sort() -> int:
    """Numbers the rows by lane and day. Returns how many there are."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SQL["sort"])
        cursor.execute(_SQL["count"])
        ((rows,),) = cursor.fetchall()
    return int(rows)


def _add_slice(before: PriceImport, total: int, rejected: int) -> PriceImport:
    with transaction.atomic():
        running = lock_import(before.pk)
        if running.rows_added != before.rows_added or running.finished_at:
            raise ImportRunning
        share_tree()
        running.rows_added += _insert(running.rows_added)
        running.rows_rejected = rejected
        running.finished_at = timezone.now() if running.rows_added >= total else None
        running.save()
    return running


def _insert(first: int) -> int:
    """The next slice behind the first rows. Returns how many it has."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL work_mem = '64MB'")
        cursor.execute(_SQL["add"], {"first": first, "last": first + SLICE})
        return int(cursor.rowcount)
