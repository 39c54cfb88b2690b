"""Every lock of this app. Order: lease, table of records by number.

Leases save work; exactness is the row lock's, under which a position and its records move together.
"""

from contextlib import AbstractContextManager

from common.leases import lease
from timestamps.models import RecordTable

CONSUMER, REPLAY, ARCHIVER = 4001, 4002, 4003  # first keys of the advisory locks; the second is 0
CONSUMER_LEASE_SECONDS = 5


def consumer_lease() -> AbstractContextManager[bool]:
    """Whether this connection alone brings the log into the live table."""
    return lease(CONSUMER, 0, seconds=CONSUMER_LEASE_SECONDS)


def lock_table(number: int) -> RecordTable:
    """The table's row, locked until the transaction ends. Raises RecordTable.DoesNotExist."""
    return RecordTable.objects.select_for_update(no_key=True).get(pk=number)
