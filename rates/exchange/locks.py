"""Every lock of exchange rates. Order: refresh lease, loading."""

from contextlib import AbstractContextManager

from django.db import connection

from common.stores.leases import lease

# First keys of the advisory locks.
REFRESH = 5201
LOADING = 5202
LEASE_SECONDS = 60  # longer than any request to a provider


def refresh_lease() -> AbstractContextManager[bool]:
    """Whether this connection alone asks providers. It saves requests; rates that come twice are one row."""
    return lease(REFRESH, 0, seconds=LEASE_SECONDS)


def lock_loading() -> None:
    """Until the transaction ends: rates are judged by those before them, so loads take turns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [LOADING])
