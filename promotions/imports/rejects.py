"""Rows that were not loaded: kept with their place and reason, the first ones in full, all of them counted.

IMPORT_KEEP_REJECTS_DAYS after the end of the import they are deleted; their numbers stay with it.
"""

from dataclasses import astuple
from datetime import datetime, timedelta
from math import inf
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Q, Sum
from django.utils import timezone

from common.work.pruning import prune_in_slices
from promotions.errors import RejectsGone
from promotions.models import Chunk, Import, Reject
from promotions.rows.rowtext import RejectedLine

REJECTS_KEPT = 100_000
PRUNED_SLICE = 5_000


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


def refuse_if_pruned(import_id: int) -> None:
    """Raises RejectsGone: its rejects are deleted, or about to be."""
    if Import.objects.filter(Q(is_pruned=True) | Q(finished_at__lt=_kept_from()), pk=import_id).exists():
        raise RejectsGone(import_id, settings.IMPORT_KEEP_REJECTS_DAYS)


def prune_rejects(seconds: float = inf) -> None:
    """Delete rejects of imports that ended long ago, for about ``seconds``. May be killed anywhere.

    Raises: DatabaseError.
    """
    prune_in_slices(_oldest, _drop_rejects, _mark_pruned, seconds)


def _oldest() -> int | None:
    old = Import.objects.filter(is_pruned=False, finished_at__lt=_kept_from()).order_by("finished_at")
    return old.values_list("id", flat=True).first()


def _mark_pruned(import_id: int) -> None:
    Import.objects.filter(pk=import_id).update(is_pruned=True)


def _drop_rejects(import_id: int) -> int:
    """A slice in a transaction of its own. Returns how many."""
    rows = Reject.objects.filter(source_import=import_id).order_by("line").values_list("pk", flat=True)
    return Reject.objects.filter(pk__in=list(rows[:PRUNED_SLICE])).delete()[0]


def _kept_from() -> datetime:
    return timezone.now() - timedelta(days=settings.IMPORT_KEEP_REJECTS_DAYS)
