"""Every lock of this app. Order: lease of an import, a chunk or a table; its row; publishing; import; ended totals.

Leases are locks of the working connection: see common/stores/leases.py.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from django.db import connection
from django.db.models import QuerySet

from common.stores.leases import lease, lock_until_commit
from common.stores.lockkeys import LockKey
from promotions.models import Chunk, Import, ImportStatus, VersionTable

LEASE_SECONDS = 60

Work = TypeVar("Work", Chunk, VersionTable, Import)


def import_lease(import_id: int) -> AbstractContextManager[bool]:
    """Whether this connection alone may advance the import, until the block ends."""
    return lease(LockKey.IMPORT, import_id, seconds=LEASE_SECONDS)


def delivery_lease() -> AbstractContextManager[bool]:
    """Whether this connection alone delivers publications, until the block ends."""
    return lease(LockKey.DELIVERY, seconds=LEASE_SECONDS)


def lease_keeper() -> Callable[[object], None]:
    """To be called now and then by long work without statements, so that the server does not take its lease away."""
    last = time.monotonic()

    def keep(_: object) -> None:
        nonlocal last
        if time.monotonic() - last > LEASE_SECONDS / 6:
            last = time.monotonic()
            connection.cursor().execute("SELECT 1")

    return keep


def waiting_chunks() -> QuerySet[Chunk]:
    """Those to be loaded, in the order of their imports."""
    loading = Chunk.objects.select_related("source_import").filter(is_done=False)
    statuses = (ImportStatus.PLANNING, ImportStatus.LOADING)
    return loading.filter(source_import__status__in=statuses).order_by("source_import_id", "number")


def waiting_tables() -> QuerySet[VersionTable]:
    """Those that are loaded and to be indexed, in the order of their imports."""
    loaded = VersionTable.objects.select_related("source_import").filter(is_indexed=False)
    return loaded.filter(source_import__status=ImportStatus.INDEXING).order_by("source_import_id", "index")


def unplanned_imports() -> QuerySet[Import]:
    return Import.objects.filter(status__in=(ImportStatus.QUEUED, ImportStatus.PLANNING))


def piece_lease(model: type[Chunk] | type[VersionTable], number: int) -> AbstractContextManager[bool]:
    """Whether this connection alone may work on the piece, until the block ends: over several transactions, so that a
    start is counted before its work."""
    return lease(LockKey.CHUNK if model is Chunk else LockKey.TABLE, number, seconds=LEASE_SECONDS)


def lock_work(waiting: QuerySet[Work], number: int) -> Work | None:
    """The row, locked until the transaction ends; None where there is nothing to do any more, or somebody has it."""
    return waiting.select_for_update(skip_locked=True, of=("self",), no_key=True).filter(pk=number).first()


def lock_chunks(import_id: int) -> bool:
    """Lock all chunks of an import until the transaction ends, or tell that a worker is still at one of them."""
    chunks = Chunk.objects.filter(source_import=import_id)
    return len(chunks.select_for_update(skip_locked=True).values_list("id")) == chunks.count()


def lock_import(import_id: int) -> Import:
    """The import's row, locked until the transaction ends. Raises Import.DoesNotExist."""
    return Import.objects.select_for_update(no_key=True).get(pk=import_id)


def lock_imports(imports: QuerySet[Import]) -> list[Import]:
    """Their rows, locked in the order of their ids until the transaction ends."""
    return list(imports.select_for_update(of=("self",), no_key=True).order_by("id"))


def lock_publishing() -> None:
    """One decision at a time about what is live, until the transaction ends."""
    lock_until_commit(LockKey.PUBLISHING)
