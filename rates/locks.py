"""Every lock of this app's tree and prices. Order: import, tree, rollups by key, data version.

Rollups and the version are locked by triggers (migrations/0001_rollups.sql, 0008_rollups_by_level.sql), once per
statement: a transaction writes prices in one statement, or its second one may wait for somebody who waits for it.
"""

from django.db import connection

from rates.models import PriceImport

TREE = (5001, 0)  # keys of the advisory lock, also in migrations/0001_tree.sql


def lock_tree() -> None:
    """Which port counts where, alone, until the transaction ends; waits for all who write prices."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", TREE)


def share_tree() -> None:
    """Which port counts where stays as it is until the transaction ends; others may write prices too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", TREE)


def lock_import(import_id: int) -> PriceImport:
    """The import's row, locked until the transaction ends. Raises PriceImport.DoesNotExist."""
    return PriceImport.objects.select_for_update(no_key=True).get(pk=import_id)
