"""Every lock of this app. Order: shard lease, flush, counters by key."""

from contextlib import AbstractContextManager
from uuid import UUID

from common.stores.leases import lease
from common.stores.lockkeys import LockKey
from counters.models import Flush

LEASE_SECONDS = 4  # a flusher that hangs must not cost the ten seconds


def shard_lease(shard: int) -> AbstractContextManager[bool]:
    """Whether this connection alone flushes the shard. It saves work; exactness is the flush row's."""
    return lease(LockKey.COUNTER_SHARD, shard, seconds=LEASE_SECONDS)


def lock_flush(segment: UUID) -> Flush:
    """The flush's row, locked until the transaction ends. Raises Flush.DoesNotExist."""
    return Flush.objects.select_for_update(no_key=True).get(pk=segment)
