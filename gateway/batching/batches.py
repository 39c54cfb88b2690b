"""Runs one batch on a worker thread and decides what a failure means for each of its items.

Bad data (SQLSTATE classes 22 and 23) in one item must not fail its neighbours: the batch is split in halves until the
item stands alone. Conflicts between transactions repeat the whole batch. Everything else is never repeated by us,
because nobody knows whether it took effect.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from django.db import DatabaseError, close_old_connections

from common.errors import FloodgateError, StoreUnavailable
from common.stores.guarded import STORE_AWAY
from common.stores.sqlstate import sqlstate

logger = logging.getLogger(__name__)
BulkFunction = Callable[[list[Any]], Sequence[Any]]

CONFLICTS = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available
MAX_ATTEMPTS = 3
BAD_DATA_CLASSES = ("22", "23")


def run_batch(run: BulkFunction, items: list[Any]) -> list[Any]:
    """Results of ``run`` in input order; an item that failed has a FloodgateError in its place. Never raises."""
    close_old_connections()
    try:
        return _run_or_split(run, items)
    finally:
        close_old_connections()


def _run_or_split(run: BulkFunction, items: list[Any]) -> list[Any]:
    try:
        return _run_with_repeats(run, items)
    except FloodgateError as error:
        return [error] * len(items)
    except STORE_AWAY as error:
        logger.warning("batch_failed", exc_info=True, extra={"items": len(items), "sqlstate": sqlstate(error)})
        return [StoreUnavailable()] * len(items)
    except Exception as error:
        if len(items) > 1 and sqlstate(error).startswith(BAD_DATA_CLASSES):
            middle = len(items) // 2
            return _run_or_split(run, items[:middle]) + _run_or_split(run, items[middle:])
        logger.exception("batch_failed", extra={"items": len(items)})
        return [FloodgateError()] * len(items)


def _run_with_repeats(run: BulkFunction, items: list[Any]) -> list[Any]:
    for _ in range(MAX_ATTEMPTS - 1):
        try:
            return _checked(run(items), items)
        except DatabaseError as error:
            if sqlstate(error) not in CONFLICTS:
                raise
    return _checked(run(items), items)


def _checked(results: Sequence[Any], items: list[Any]) -> list[Any]:
    if len(results) != len(items):
        raise RuntimeError(f"a bulk function answered {len(results)} results for {len(items)} items")
    return list(results)
