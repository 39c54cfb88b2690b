"""Every lock of this app's tree and prices. Order: import, tree, rollups by key, data version.

Rollups and the version are locked by triggers (migrations/0001_rollups.sql, 0008_rollups_by_level.sql), once per
statement: a transaction writes prices in one statement, or its second one may wait for somebody who waits for it.
"""

from common.stores.leases import lock_until_commit, share_until_commit
from common.stores.lockkeys import LockKey
from rates.models import PriceImport


def lock_tree() -> None:
    """Which port counts where, alone, until the transaction ends; waits for all who write prices."""
    lock_until_commit(LockKey.TREE)


def share_tree() -> None:
    """Which port counts where stays as it is until the transaction ends; others may write prices too."""
    share_until_commit(LockKey.TREE)


def lock_import(import_id: int) -> PriceImport:
    """The import's row, locked until the transaction ends. Raises PriceImport.DoesNotExist."""
    return PriceImport.objects.select_for_update(no_key=True).get(pk=import_id)
