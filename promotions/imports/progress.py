"""Where imports stand: from the rows of their chunks, and some time after the end from their own (``summing``)."""

from collections import Counter
from datetime import datetime
from typing import NamedTuple

from django.db.models import Q, Sum
from django.utils import timezone

from promotions.errors import ImportNotFound
from promotions.models import Chunk, Import, ImportStatus, Version
from promotions.types import ImportProgress, ImportTotals


class Counted(NamedTuple):
    """Over an import's chunks; an early stop leaves one that is counted but not done."""

    bytes_done: int = 0
    lines_done: int = 0
    rows_loaded: int = 0
    rows_rejected: int = 0
    rows_blank: int = 0
    reject_reasons: dict[str, int] = {}  # never changed


def totals_of(import_: Import) -> ImportTotals:
    """Rows of the whole import, once all chunks are loaded."""
    counted = count_chunks([import_.id])[import_.id]
    rows = (counted.rows_loaded, counted.rows_rejected, counted.rows_blank)
    return ImportTotals(import_.line_count, *rows, import_.rows_duplicate)


def count_chunks(import_ids: list[int]) -> dict[int, Counted]:
    """Of each import, over the chunks that it still has."""
    is_done = Q(is_done=True)
    rows = (
        Chunk.objects.filter(source_import__in=import_ids)
        .order_by()
        .values_list("source_import")
        .annotate(
            bytes_done=Sum("length", filter=is_done, default=0),
            lines_done=Sum("line_count", filter=is_done, default=0),
            loaded=Sum("rows_loaded"),
            rejected=Sum("rows_rejected"),
            blank=Sum("rows_blank"),
        )
    )
    reasons = _reasons(import_ids)
    found = {import_id: Counted(*sums)._replace(reject_reasons=dict(reasons[import_id])) for import_id, *sums in rows}
    return {import_id: found.get(import_id, Counted()) for import_id in import_ids}


def _reasons(import_ids: list[int]) -> dict[int, Counter[str]]:
    counters: dict[int, Counter[str]] = {import_id: Counter() for import_id in import_ids}
    chunks = Chunk.objects.filter(source_import__in=import_ids, rows_rejected__gt=0)
    for import_id, reasons in chunks.values_list("source_import", "reject_reasons"):
        counters[import_id].update(reasons)
    return counters


def import_progress(import_id: int) -> ImportProgress:
    """Raises: ImportNotFound."""
    import_ = Import.objects.filter(pk=import_id).first()
    if import_ is None:
        raise ImportNotFound(import_id)
    return imports_progress([import_])[0]


def imports_progress(imports: list[Import]) -> list[ImportProgress]:
    """Progress of each, in the order given, with four queries for all of them."""
    ids = [import_.id for import_ in imports]
    counted = count_chunks(ids) | _summed(ids)  # in this order, so that none is missed while its chunks go
    versions = set(
        Version.objects.filter(number__in=ids, publications__delivered_at__isnull=False).values_list(
            "number", flat=True
        )
    )
    return [_progress(import_, counted[import_.id], import_.id in versions) for import_ in imports]


def _summed(import_ids: list[int]) -> dict[int, Counted]:
    rows = Import.objects.filter(pk__in=import_ids, is_summed=True).values_list("id", *Counted._fields)
    return {import_id: Counted(*values) for import_id, *values in rows}


def _progress(import_: Import, counted: Counted, was_served: bool) -> ImportProgress:
    seconds = _seconds_working(import_)
    is_read_whole = import_.sha256 != "" and counted.lines_done == import_.line_count  # header and BOM are in no chunk
    return ImportProgress(
        id=import_.id,
        status=import_.status,
        source=import_.source,
        sha256=import_.sha256 or None,
        bytes_total=import_.bytes_total,
        bytes_done=import_.bytes_total if is_read_whole else counted.bytes_done,
        rows_loaded=counted.rows_loaded - import_.rows_duplicate,
        rows_rejected=counted.rows_rejected,
        rows_duplicate=import_.rows_duplicate,
        rows_blank=counted.rows_blank,
        rows_per_second=round(counted.lines_done / seconds) if seconds else None,
        eta_seconds=_eta_seconds(import_, counted.bytes_done, seconds),
        reject_reasons=counted.reject_reasons,
        version=import_.id if was_served else None,
        error=import_.error or None,
        created_at=import_.created_at,
        finished_at=import_.finished_at,
    )


def _eta_seconds(import_: Import, bytes_done: int, seconds: float | None) -> int | None:
    """Until everything is loaded; nobody knows how long the index will take."""
    if import_.status not in (ImportStatus.PLANNING, ImportStatus.LOADING) or not seconds or not bytes_done:
        return None
    return round((import_.bytes_total - bytes_done) * seconds / bytes_done)


def _seconds_working(import_: Import) -> float | None:
    if import_.started_at is None:
        return None
    until: datetime = import_.finished_at or timezone.now()
    return (until - import_.started_at).total_seconds() or None
