"""Rows that were not loaded: kept with their place and reason, the first ones in full, all of them counted."""

from dataclasses import astuple
from typing import NamedTuple

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Sum

from promotions.models import Chunk, Reject
from promotions.rows import RejectedLine

REJECTS_KEPT = 100_000


class Earlier(NamedTuple):
    lines: int
    rejected: int


def count_earlier(chunk: Chunk) -> Earlier:
    """Lines and rejects of the import's loaded chunks that come before this one in the file."""
    done = Chunk.objects.filter(source_import=chunk.source_import_id, number__lt=chunk.number, is_done=True)
    sums = done.aggregate(lines=Sum("line_count", default=0), rejected=Sum("rows_rejected", default=0))
    return Earlier(**sums)


def save_rejects(cursor: CursorWrapper, import_id: int, rejects: list[RejectedLine]) -> None:
    """Store rejects in the caller's transaction."""
    statement = 'COPY promotions_reject (source_import_id, line, "offset", "column", reason, detail, raw) FROM STDIN'
    with connection.wrap_database_errors, cursor.copy(statement) as copy:
        for reject in rejects:
            copy.write_row((import_id, *astuple(reject)))


def trim_rejects(import_id: int) -> None:
    """Keep the first rejects by line; chunks that ran side by side may have kept a few more."""
    lines = (
        Reject.objects.filter(source_import=import_id, kept_line=None).order_by("line").values_list("line", flat=True)
    )
    if last := lines[REJECTS_KEPT - 1 : REJECTS_KEPT].first():
        Reject.objects.filter(source_import=import_id, kept_line=None, line__gt=last).delete()
