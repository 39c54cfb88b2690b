"""Crash counts: a poison piece of work, which crashes its worker each time, is given up.

A killed process cannot count anything afterwards. So every start is counted before the work (column ``begun``), and
taken back by an error; what is left of the count are crashes. Attempts (``importing.py``) count errors instead.
"""

import logging

from django.db import DatabaseError, connection, transaction
from django.db.models import F, QuerySet

from promotions.errors import WorkersKilled
from promotions.locks import Work, lock_work
from promotions.models import Chunk, Import, VersionTable

logger = logging.getLogger(__name__)

MAX_CRASHES = 5


def count_start(waiting: QuerySet[Work], number: int) -> Work | None:
    """Count it in a commit of its own, before the work; the caller has the lease. None: there is nothing to do."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")  # a crash of the server is not the work's fault
        work = lock_work(waiting, number)
        if work is not None:
            work.begun += 1
            work.save(update_fields=["begun"])
    return work


def take_back_start(work: Chunk | VersionTable | Import) -> None:
    """An error is no crash. When the store can't be told, it counts as one."""
    try:
        type(work).objects.filter(pk=work.pk, begun__gt=0).update(begun=F("begun") - 1)
    except DatabaseError:
        logger.warning("crash_count_too_high", exc_info=True)


def refuse_poison(work: Chunk | VersionTable | Import) -> None:
    """Raises WorkersKilled: all earlier starts ended in a crash of their workers."""
    if work.begun > MAX_CRASHES:
        raise WorkersKilled(_in_words(work), MAX_CRASHES)


def _in_words(work: Chunk | VersionTable | Import) -> str:
    if isinstance(work, Chunk):
        return f"Loading lines {work.first_line:,} to {work.first_line + work.line_count - 1:,}"
    return "Planning" if isinstance(work, Import) else f"Indexing table {work.index}"
