"""Two rows with one id: the later line is served, the others are reported with both line numbers."""

from django.db import connection

from promotions.rejects import REJECTS_KEPT

# The aggregate finds the few ids that occur twice; only their rows are touched again.
_REMOVE = """
WITH doubled AS MATERIALIZED (
    SELECT id, max(line) AS kept_line FROM {table} GROUP BY id HAVING count(*) > 1
), removed AS (
    DELETE FROM {table} t USING doubled d WHERE t.id = d.id AND t.line < d.kept_line
    RETURNING t.id, t.line, d.kept_line
), reported AS (
    INSERT INTO promotions_reject (source_import_id, line, "column", reason, detail, raw, kept_line)
    SELECT %(import_id)s, line, 'id', 'duplicate_id', 'Line ' || kept_line || ' has the same id and is served.', id, kept_line
    FROM removed ORDER BY line LIMIT %(limit)s
)
SELECT count(*) FROM removed
"""


def remove_duplicates(import_id: int, table: str) -> int:
    """Delete all but the last row of each id, in the caller's transaction. Returns how many were deleted."""
    with connection.cursor() as cursor:
        cursor.execute(_REMOVE.format(table=table), {"import_id": import_id, "limit": REJECTS_KEPT})
        return int(cursor.fetchone()[0])
