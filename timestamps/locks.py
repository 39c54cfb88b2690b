"""Every lock of this app. Order: lease, projections by number, dead letters by position.

Leases save work; exactness is the row lock's, under which a position and its records move together.
"""

from collections.abc import Collection
from contextlib import AbstractContextManager

from common.stores.leases import lease
from common.stores.lockkeys import LockKey
from timestamps.models import DeadLetter, DeadLetterState, RecordTable, TableState

CONSUMER_LEASE_SECONDS = 5
WORK_LEASE_SECONDS = 60


def consumer_lease(*, wait_seconds: float = 0.0) -> AbstractContextManager[bool]:
    """Whether this connection alone brings the log into the live table."""
    return lease(LockKey.CONSUMER, seconds=CONSUMER_LEASE_SECONDS, wait_seconds=wait_seconds)


def archiver_lease(*, wait_seconds: float = 0.0) -> AbstractContextManager[bool]:
    """Whether this connection alone writes segments and trims the stream."""
    return lease(LockKey.ARCHIVER, seconds=WORK_LEASE_SECONDS, wait_seconds=wait_seconds)


def replay_lease() -> AbstractContextManager[bool]:
    """Whether this connection alone fills tables beside the live one."""
    return lease(LockKey.REPLAY, seconds=WORK_LEASE_SECONDS)


def lock_table(number: int) -> RecordTable:
    """The table's row, locked until the transaction ends. Raises RecordTable.DoesNotExist."""
    return RecordTable.objects.select_for_update(no_key=True).get(pk=number)


def lock_tables() -> list[RecordTable]:
    """The rows of the live table and of those being built.

    Asked twice: who waited for the first does not see a row that was made meanwhile.
    """
    tables = RecordTable.objects.select_for_update(no_key=True).filter(state__in=(TableState.LIVE, TableState.BUILDING))
    list(tables.order_by("number"))
    return list(tables.order_by("number"))


def lock_dead_letters(ids: Collection[int]) -> list[DeadLetter]:
    """Those of them that still wait, in the log's order: as projections keep them."""
    letters = DeadLetter.objects.select_for_update(no_key=True).filter(pk__in=ids, state=DeadLetterState.WAITING)
    return list(letters.order_by("position_ms", "position_seq"))
