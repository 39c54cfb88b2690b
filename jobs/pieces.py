"""Pieces of work that are rows: each is done by one worker at a time, and given up after too many attempts.

An attempt is counted in a commit of its own before the work, so that a death of the worker counts too; an outage of a
store takes it back. What fails each time is given up, so that nothing waits behind it for ever.
"""

import logging
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Generic, TypeVar

from django.db import DatabaseError, transaction
from django.db.models import F, Model, QuerySet

from common.stores.guarded import is_temporary
from common.work.afterwork import working_for

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
CANDIDATES = 32  # that are looked at for one that is free: more than there are workers

Row = TypeVar("Row", bound=Model)


class Pieces(ABC, Generic[Row]):
    """One kind of them. Its rows have a column ``attempts``.

    Attributes: what: the name of one, in lines of log and traces.
    """

    what: ClassVar[str]

    @abstractmethod
    def waiting(self) -> QuerySet[Row]:
        """Those that are to be done, in their order."""

    @abstractmethod
    def lease(self, key: int) -> AbstractContextManager[bool]:
        """Whether this connection alone may work on it, over several transactions."""

    @abstractmethod
    def lock(self, key: int) -> Row | None:
        """The row, locked until the transaction ends; None when there is nothing to do any more."""

    @abstractmethod
    def correlation_id(self, row: Row) -> str: ...

    def begin(self, row: Row) -> None:
        """In the transaction that counts the attempt."""

    @abstractmethod
    def work(self, key: int) -> None:
        """Do it, in the caller's transaction."""

    @abstractmethod
    def give_up(self, key: int) -> None:
        """End it undone, in the caller's transaction."""

    def work_through(self, seconds: float) -> bool:
        """Work for about ``seconds``.

        Returns: whether there may be more to do; False when nothing is left that this worker could do now.
        Raises:  DatabaseError: the store is away; call again later.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not self.work_on_next():
                return False
        return True

    def work_on_next(self) -> bool:
        """Whether there was one to work on."""
        for key in list(self.waiting().values_list("pk", flat=True)[:CANDIDATES]):
            with self.lease(key) as is_mine:
                if is_mine and self._attempt(key):
                    return True
        return False

    def _attempt(self, key: int) -> bool:
        row = self._count_attempt(key)
        if row is None:
            return False
        with working_for(self.correlation_id(row), self.what):
            self._work_or_give_up(row)
        return True

    def _count_attempt(self, key: int) -> Any:
        """The row with this attempt; None when there is nothing to do any more."""
        with transaction.atomic():
            row: Any = self.lock(key)
            if row is not None:
                row.attempts += 1
                row.save(update_fields=["attempts"])
                self.begin(row)
        return row

    def _work_or_give_up(self, row: Any) -> None:
        try:
            with transaction.atomic():
                self.give_up(row.pk) if row.attempts > MAX_ATTEMPTS else self.work(row.pk)
        except Exception as error:
            if is_temporary(error):
                self._take_back_attempt(row)
                raise
            logger.exception("piece_failed", extra={"piece": self.what, "key": row.pk, "attempts": row.attempts})

    def _take_back_attempt(self, row: Any) -> None:
        """An outage is no fault of the piece. When the store can't be told, the attempt counts."""
        try:
            type(row).objects.filter(pk=row.pk, attempts__gt=0).update(attempts=F("attempts") - 1)
        except DatabaseError:
            logger.warning("attempt_counts", extra={"piece": self.what, "key": row.pk})
