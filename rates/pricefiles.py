"""Prices from a CSV file: orig_code,dest_code,day,price, in USD; a newline always ends a row.

A chunk of lines is one transaction with the place in the file up to which it reached, so a run that was killed is run
again and goes on there. A file is known by its content, so the same prices are not added twice by mistake.
"""

import hashlib
from collections.abc import Callable
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from rates.errors import ImportedAlready, ImportRunning
from rates.locks import lock_import, share_tree
from rates.models import Port, PriceImport
from rates.pricerows import RejectedRow, RowReader

# 150,000 rows: a few seconds, in which others who add to the same days wait. Larger ones would be faster for the file.
CHUNK_BYTES = 4 * 2**20
LONGEST_LINE = 2**26
_COPY = "COPY rates_price (origin_id, destination_id, day, price_usd) FROM STDIN"
_ROOM = "SET LOCAL statement_timeout = 0; SET LOCAL work_mem = '64MB'"


class PricesReport(NamedTuple):
    """What became of the rows of a file, in all runs of its import."""

    rows_added: int
    rows_rejected: int


def import_prices(
    path: Path,
    *,
    again: bool = False,
    on_progress: Callable[[int], object] = lambda size: None,
    on_reject: Callable[[RejectedRow], object] = lambda row: None,
) -> PricesReport:
    """Add the prices of a file, or the rest of them where a run of the same file did not come to its end.

    Args:   again: add them although a file with the same content was imported.
            on_progress: told how many bytes are done, after each chunk; on_reject: told each row of this run that
            was not added, when its chunk is committed.
    Raises: OSError: the file cannot be read; DatabaseError. Whole chunks are there; run it again.
            ImportedAlready; ImportRunning: another process works on this file.
    """
    with path.open("rb") as file:
        running = _begin(path, file, again=again)
        while running.finished_at is None:
            on_progress(running.bytes_done)
            running = _import_chunk(running, file, on_reject)
    on_progress(running.bytes_done)
    return PricesReport(running.rows_added, running.rows_rejected)


def _begin(path: Path, file: BufferedReader, *, again: bool) -> PriceImport:
    """The import of this content that is not finished, or the next one."""
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    last = PriceImport.objects.filter(sha256=digest).order_by("-repeat").first()
    if last is not None and last.finished_at is None:
        return last
    if last is not None and not again:
        raise ImportedAlready(last.path, last.finished_at)
    started, _ = PriceImport.objects.get_or_create(
        sha256=digest,
        repeat=last.repeat + 1 if last else 0,
        defaults={"path": str(path), "bytes_total": path.stat().st_size},
    )
    return started


def _import_chunk(before: PriceImport, file: BufferedReader, on_reject: Callable[[RejectedRow], object]) -> PriceImport:
    chunk = _read_chunk(file, before.bytes_done)
    with transaction.atomic():
        running = lock_import(before.pk)
        if running.bytes_done != before.bytes_done or running.finished_at:
            raise ImportRunning
        share_tree()  # the ports stay as the reader knows them
        reader = RowReader(dict(Port.objects.values_list("code", "pk")))
        rows = reader.read(chunk, running.lines_done + 1)
        _copy(rows)
        running.bytes_done += len(chunk)
        running.lines_done += reader.lines
        running.rows_added += len(rows)
        running.rows_rejected += len(reader.rejects)
        running.finished_at = None if chunk else timezone.now()
        running.save()
        for row in reader.rejects:
            transaction.on_commit(partial(on_reject, row))
    return running


def _read_chunk(file: BufferedReader, offset: int) -> bytes:
    """Whole lines from ``offset`` on; empty at the end. Too long a line comes in pieces, each of which is rejected."""
    file.seek(offset)
    return file.read(CHUNK_BYTES) + file.readline(LONGEST_LINE)


def _copy(rows: list[bytes]) -> None:
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(_ROOM)
        with connection.wrap_database_errors, cursor.copy(_COPY) as copy:
            copy.write(b"".join(rows))
