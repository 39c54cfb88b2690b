"""Chunks of imports that have ended: what they counted moves to the import and to the totals of all ended imports, and
they are deleted. So no look at an old import and no scrape of metrics reads more than there is work now.
"""

import time
from collections import Counter
from math import inf

from django.db import connection, transaction

from promotions.imports.progress import count_chunks
from promotions.locks import import_lease, lock_chunks, lock_import
from promotions.models import ACTIVE, Import

_ADD = """
INSERT INTO promotions_endedtotal (name, count)
SELECT * FROM unnest(%s::text[], %s::bigint[]) AS added (name, count) ORDER BY name
ON CONFLICT (name) DO UPDATE SET count = promotions_endedtotal.count + excluded.count
"""


def sum_ended_imports(seconds: float = inf) -> None:
    """Sum imports that have ended, for about ``seconds``. May be killed anywhere.

    Raises: DatabaseError.
    """
    until = time.monotonic() + seconds
    ended = Import.objects.filter(is_summed=False).exclude(status__in=ACTIVE).order_by("id")
    for import_id in list(ended.values_list("id", flat=True)):
        if time.monotonic() > until:
            break
        with import_lease(import_id) as is_mine:  # whoever still plans it would make chunks afterwards
            if is_mine:
                with transaction.atomic():
                    _sum_import(import_id)


def move_ended_import(earlier: str, later: str) -> None:
    """A summed import ends in another way after all; in the caller's transaction."""
    _add(Counter({earlier: -1, later: 1}))


def _sum_import(import_id: int) -> None:
    """Unless a worker is still loading one of its chunks: then its counts are to come."""
    if not lock_chunks(import_id):
        return
    import_ = lock_import(import_id)
    if import_.is_summed:
        return
    counted = count_chunks([import_id])[import_id]
    Import.objects.filter(pk=import_id).update(is_summed=True, **counted._asdict())
    import_.chunks.all().delete()
    rows = {"loaded": counted.rows_loaded, "rejected": counted.rows_rejected, "blank": counted.rows_blank}
    _add(Counter({import_.status: 1, "duplicate": import_.rows_duplicate, **rows}))


def _add(counts: Counter[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [list(counts), list(counts.values())])
