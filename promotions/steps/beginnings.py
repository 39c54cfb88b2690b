"""Work that ends its worker each time is given up: every beginning is counted before the work, and taken back by an
error. What is left of them are deaths.

Attempts (``importing.py``) count errors instead: a process that is killed cannot count anything afterwards.
"""

import logging

from django.db import DatabaseError, connection, transaction
from django.db.models import F, QuerySet

from promotions.errors import WorkersKilled
from promotions.locks import Work, lock_work
from promotions.models import Chunk, Import, VersionTable

logger = logging.getLogger(__name__)

MAX_DEATHS = 5


def count_beginning(waiting: QuerySet[Work], number: int) -> Work | None:
    """Count it in a commit of its own, before the work; the caller has the lease. None: there is nothing to do."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")  # a death of the server is not the work's fault
        found = lock_work(waiting, number)
        if found is not None:
            found.begun += 1
            found.save(update_fields=["begun"])
    return found


def take_back_beginning(found: Chunk | VersionTable | Import) -> None:
    """An error is no death. When the store can't be told, it counts as one."""
    try:
        type(found).objects.filter(pk=found.pk, begun__gt=0).update(begun=F("begun") - 1)
    except DatabaseError:
        logger.warning("beginning_counts", exc_info=True)


def refuse_deadly(found: Chunk | VersionTable | Import) -> None:
    """Raises WorkersKilled: all earlier beginnings were the last thing that their workers did."""
    if found.begun > MAX_DEATHS:
        raise WorkersKilled(_in_words(found), MAX_DEATHS)


def _in_words(found: Chunk | VersionTable | Import) -> str:
    if isinstance(found, Chunk):
        return f"Loading lines {found.first_line:,} to {found.first_line + found.line_count - 1:,}"
    return "Planning" if isinstance(found, Import) else f"Indexing table {found.index}"
