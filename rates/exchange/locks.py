"""Every lock of exchange rates. Order: refresh lease, loading."""

from contextlib import AbstractContextManager

from common.stores.leases import lease, lock_until_commit
from common.stores.lockkeys import LockKey

LEASE_SECONDS = 60  # longer than any request to a provider


def refresh_lease() -> AbstractContextManager[bool]:
    """Whether this connection alone asks providers. It saves requests; rates that come twice are one row."""
    return lease(LockKey.RATES_REFRESH, seconds=LEASE_SECONDS)


def lock_loading() -> None:
    """Until the transaction ends: rates are judged by those before them, so loads take turns."""
    lock_until_commit(LockKey.RATES_LOADING)
