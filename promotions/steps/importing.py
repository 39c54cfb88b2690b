"""The life of an import, one resumable step at a time.

Every step reads from the database what is left to do, so that any worker can go on where another one died.

    queued -> planning -> loading -> indexing -> checking -> published | superseded | quarantined
    anything that has not ended -> cancelled | failed
"""

import errno
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from typing import TypeVar

from django.db import transaction
from django.db.models import QuerySet

from common.errors import FloodgateError, Unavailable
from common.stores.guarded import is_temporary
from common.stores.sqlstate import sqlstate
from common.work.afterwork import working_for
from promotions.errors import Quarantined
from promotions.imports.states import end_import
from promotions.locks import (
    import_lease,
    lock_import,
    lock_work,
    piece_lease,
    unplanned_imports,
    waiting_chunks,
    waiting_tables,
)
from promotions.models import ACTIVE, Chunk, Import, ImportStatus, VersionTable
from promotions.steps.checking import check_import
from promotions.steps.crashcount import count_start, refuse_poison, take_back_start
from promotions.steps.indexing import finish_indexing, index_version_table
from promotions.steps.loading import load_chunk
from promotions.steps.staging import finish_loading, plan_import
from promotions.versions.publishing import deliver_publications, reopen_delivery_if_behind

logger = logging.getLogger(__name__)

Piece = TypeVar("Piece", Chunk, VersionTable)

MAX_ATTEMPTS = 5
CANDIDATES = 64  # more than there are workers
DISK_FULL = "53100"

# Each step answers whether it did something.
_STEPS: dict[str, Callable[[Import], bool]] = {
    ImportStatus.QUEUED: plan_import,
    ImportStatus.PLANNING: plan_import,
    ImportStatus.LOADING: finish_loading,
    ImportStatus.INDEXING: finish_indexing,
    ImportStatus.CHECKING: check_import,
}


def work_on_imports(seconds: float = inf) -> bool:
    """Do what is to be done for any import, for about ``seconds``.

    Returns: whether there may be more to do; False when nothing is left that this worker could do now.
    Raises:  DatabaseError: PostgreSQL is away; nothing is lost, call again later.
    """
    reopen_delivery_if_behind()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not _do_something():
            return False
    return True


def _do_something() -> bool:
    return (
        deliver_publications()
        or _work_on_next(waiting_chunks(), load_chunk)
        or _work_on_next(waiting_tables(), index_version_table)
        or _advance_an_import()
    )


def _work_on_next(waiting: QuerySet[Piece], work: Callable[[Piece], None]) -> bool:
    for number in list(waiting.values_list("pk", flat=True)[:CANDIDATES]):
        with piece_lease(waiting.model, number) as is_mine:
            if is_mine and _work_on(number, waiting, work):
                return True
    return False


def _work_on(number: int, waiting: QuerySet[Piece], work: Callable[[Piece], None]) -> bool:
    """Do a piece in one transaction, so that a worker that dies leaves it to the next one."""
    started = count_start(waiting, number)
    if started is None:
        return False
    with _working_for(started.source_import):
        try:
            refuse_poison(started)
            with transaction.atomic():
                piece = lock_work(waiting, number)
                if piece is not None:
                    work(piece)
        except Exception as error:
            take_back_start(started)
            _end_or_retry(started.source_import, error)
    return True


def _advance_an_import() -> bool:
    for import_id in Import.objects.filter(status__in=ACTIVE).order_by("id").values_list("id", flat=True):
        with import_lease(import_id) as is_mine:
            if is_mine and _advance(import_id):
                return True
    return False


def _advance(import_id: int) -> bool:
    planned = count_start(unplanned_imports(), import_id)
    import_ = planned or Import.objects.get(pk=import_id)
    step = _STEPS.get(import_.status)
    if step is None:
        return False
    with _working_for(import_):
        try:
            if planned is not None:
                refuse_poison(planned)
            return step(import_)
        except Exception as error:
            take_back_start(import_)
            _end_or_retry(import_, error)
            return True


def _working_for(import_: Import) -> AbstractContextManager[object]:
    return working_for(import_.correlation_id, f"import: {import_.status}", import_id=import_.id)


def _end_or_retry(import_: Import, error: Exception) -> None:
    """End the import if the error is final; raise it on if trying again may help."""
    if not Import.objects.filter(pk=import_.pk, status__in=ACTIVE).exists():
        return  # cancelled, or ended by another worker, while this step ran
    if isinstance(error, Quarantined):
        _end(import_, ImportStatus.QUARANTINED, error.detail)
    elif isinstance(error, FloodgateError) and not isinstance(error, Unavailable):
        _end(import_, ImportStatus.FAILED, error.detail)
    elif isinstance(error, FileNotFoundError | PermissionError):
        _end(import_, ImportStatus.FAILED, f"The file cannot be read any more ({error.strerror}); submit it again.")
    elif _is_disk_full(error):
        _end(import_, ImportStatus.FAILED, "The disk is full. Make room and import the file again.")
    elif is_temporary(error) or _attempts(import_.id) < MAX_ATTEMPTS:
        raise error
    else:
        logger.error("import_failed", exc_info=error)
        _end(import_, ImportStatus.FAILED, f"Gave up after {MAX_ATTEMPTS} attempts: {error}")


def _is_disk_full(error: Exception) -> bool:
    return sqlstate(error) == DISK_FULL or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT))


def _attempts(import_id: int) -> int:
    with transaction.atomic():
        import_ = lock_import(import_id)
        import_.attempts += 1
        import_.save(update_fields=["attempts"])
    return import_.attempts


def _end(import_: Import, status: ImportStatus, error: str) -> None:
    with transaction.atomic():
        end_import(import_.id, status, error)
