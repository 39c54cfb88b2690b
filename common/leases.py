"""Leases: the right to do something alone, as a lock that the working connection holds.

When its process dies PostgreSQL lets go at once, and a process that hangs loses it with the server's idle timeout. See
docs/adr/0002.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection

from common.sqlstate import sqlstate

LOCK_TIMEOUT = "55P03"


@contextmanager
def lease(kind: int, number: int, *, seconds: int, wait_seconds: float = 0.0) -> Iterator[bool]:
    """Whether this connection alone holds the lease, until the block ends.

    Args: kind, number: the two keys of the advisory lock; each app's ``locks.py`` lists its kinds.
          seconds: without a statement, in a transaction or not, after which the server ends the connection: how long a
              process that hangs keeps others out.
          wait_seconds: for whoever holds it, less than statement_timeout. Who waits is next, before all who only try.
    """
    with connection.cursor() as cursor:
        if not (_wait(kind, number, wait_seconds) if wait_seconds else _try(kind, number)):
            yield False
            return
        cursor.execute(
            f"SET idle_session_timeout = '{seconds}s'; SET idle_in_transaction_session_timeout = '{seconds}s'"
        )
    try:
        yield True
    finally:
        _release(kind, number)


def _try(kind: int, number: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [kind, number])
        return bool(cursor.fetchone()[0])


def _wait(kind: int, number: int, seconds: float) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {seconds * 1_000:.0f}")
        try:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [kind, number])
        except OperationalError as error:
            if sqlstate(error) != LOCK_TIMEOUT:
                raise
            return False
        finally:
            if connection.is_usable():
                cursor.execute("RESET lock_timeout")
    return True


def _release(kind: int, number: int) -> None:
    """A connection that broke has released its locks already."""
    if not connection.is_usable():
        connection.close()
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [kind, number])
        cursor.execute("RESET idle_session_timeout; RESET idle_in_transaction_session_timeout")
