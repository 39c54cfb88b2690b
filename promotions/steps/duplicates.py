"""Two rows with one id: the later line is served, the others are reported with both line numbers."""

from itertools import pairwise
from math import ceil

import numpy as np
from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg.types.json import Jsonb

from promotions.imports.rejects import REJECTS_KEPT
from promotions.models import ChunkDigests
from promotions.rows.digests import FENCES, Digests, at_most_twice, digest_ids, find_fences, repeated_digests
from promotions.rows.rowwords import Bytes

ROWS_AT_ONCE = 500_000  # some 30 MB while they are fetched and merged, whatever the size of the file
MAX_LITERALS = 100_000

_RANGE = """
SELECT substring(ordered FROM 1 + 8 * (fences ->> %(low)s)::int
                 FOR 8 * ((fences ->> %(high)s)::int - (fences ->> %(low)s)::int))
FROM promotions_chunkdigests d JOIN promotions_chunk c ON c.id = d.chunk_id
WHERE c.source_import_id = %(import_id)s AND d.table_index = %(table_index)s
"""

# A statement of its own: PostgreSQL scans in parallel for CREATE TABLE AS, but not for DELETE.
_COLLECT = "CREATE TEMPORARY TABLE candidates ON COMMIT DROP AS SELECT ctid AS place, id, line FROM {table} {where}"
_REMOVE = """
WITH ranked AS (
    SELECT place, id, line, max(line) OVER (PARTITION BY id) AS kept_line FROM candidates
), removed AS (
    DELETE FROM {table} t USING ranked r WHERE t.ctid = r.place AND r.line < r.kept_line
    RETURNING r.id, r.line, r.kept_line
), reported AS (
    INSERT INTO promotions_reject (source_import_id, line, "column", reason, detail, raw, kept_line)
    SELECT %(import_id)s, line, 'id', 'duplicate_id',
           'Line ' || kept_line || ' has the same id and is served.', id, kept_line
    FROM removed ORDER BY line LIMIT %(limit)s
)
SELECT count(*) FROM removed
"""


def keep_digests(cursor: CursorWrapper, chunk_id: int, table_index: int, ids: Bytes) -> None:
    """Store the digests of (n, 16) ids that a chunk put into a table, in the caller's transaction."""
    ordered = at_most_twice(np.sort(digest_ids(ids)))
    row = (chunk_id, table_index, ordered.tobytes(), Jsonb(find_fences(ordered)))
    statement = "COPY promotions_chunkdigests (chunk_id, table_index, ordered, fences) FROM STDIN (FORMAT BINARY)"
    with connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.set_types(["int8", "int4", "bytea", "jsonb"])
        copy.write_row(row)


def remove_duplicates(import_id: int, table: str, table_index: int) -> int:
    """Delete all but the last row of each id from a loaded table, in the caller's transaction.

    Returns: how many rows were deleted.
    """
    digests = _repeated(import_id, table_index)
    if not digests:
        return 0
    where = "WHERE uuid_hash_extended(id, 0) = ANY(%s)" if len(digests) <= MAX_LITERALS else ""
    with connection.cursor() as cursor:
        cursor.execute(_COLLECT.format(table=table, where=where), [digests] if where else None)
        cursor.execute(_REMOVE.format(table=table), {"import_id": import_id, "limit": REJECTS_KEPT})
        return int(cursor.fetchone()[0])


def forget_digests(import_id: int) -> None:
    ChunkDigests.objects.filter(chunk__source_import=import_id).delete()


def _repeated(import_id: int, table_index: int) -> list[int]:
    """Digests that occur twice in a table; a few more than there are duplicate ids, should two ids share one."""
    rows = sum(
        ChunkDigests.objects.filter(chunk__source_import=import_id, table_index=table_index).values_list(
            f"fences__{FENCES}", flat=True
        )
    )
    bounds = np.linspace(0, FENCES, 1 + min(FENCES, ceil(rows / ROWS_AT_ONCE) or 1)).astype(int).tolist()
    found: list[int] = []
    for low, high in pairwise(bounds):
        if len(found) > MAX_LITERALS:
            break  # enough to know that there are too many to name
        found += repeated_digests(_runs(import_id, table_index, low, high)).tolist()
    return found


def _runs(import_id: int, table_index: int, low: int, high: int) -> list[Digests]:
    values = {"import_id": import_id, "table_index": table_index, "low": low, "high": high}
    with connection.cursor() as cursor:
        cursor.execute(_RANGE, values)
        return [np.frombuffer(ordered, np.uint64) for (ordered,) in cursor.fetchall()]
