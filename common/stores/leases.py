"""Leases: the right to do something alone, as a lock that the working connection holds.

When its process dies PostgreSQL lets go at once, and a process that hangs loses it with the server's idle timeout. See
docs/adr/0002.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection

from common.stores.lockkeys import LockKey
from common.stores.sqlstate import LOCK_TIMEOUT, sqlstate

_INT4 = 2**31
_Keys = tuple[int, int]


class _Silence(threading.local):
    """How long this thread's connection may be silent, in seconds: the last one counts."""

    def __init__(self) -> None:
        self.allowed: list[int] = []


_silence = _Silence()


@contextmanager
def lease(key: LockKey, number: int = 0, *, seconds: int, wait_seconds: float = 0.0) -> Iterator[bool]:
    """Whether this connection alone holds the lease, until the block ends.

    Args: number: the lock's second key, of which the last 31 bits count.
          seconds: without a statement, in a transaction or not, after which the server ends the connection: how long a
              process that hangs keeps others out. Of leases within each other the shortest counts.
          wait_seconds: for whoever holds it, less than statement_timeout. Who waits is next, before all who only try.
    """
    keys = (key, number % _INT4)
    if not (_wait(keys, wait_seconds) if wait_seconds else _try(keys)):
        yield False
        return
    with _may_be_silent(min([seconds, *_silence.allowed[-1:]])):
        try:
            yield True
        finally:
            _release(keys)


def lock_until_commit(key: LockKey) -> None:
    """Wait for whoever holds it, and hold it alone until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [key])


def share_until_commit(key: LockKey) -> None:
    """The same with all others who share it, and without those who hold it alone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, 0)", [key])


@contextmanager
def patience(seconds: int) -> Iterator[None]:
    """For work without statements that may take longer than the lease that is held: a call to another server."""
    if not _silence.allowed:
        yield
        return
    with _may_be_silent(max(seconds, _silence.allowed[-1])):
        yield


@contextmanager
def _may_be_silent(seconds: int) -> Iterator[None]:
    _silence.allowed.append(seconds)
    try:
        _tell_server()
        yield
    finally:
        _silence.allowed.pop()
        if connection.connection is not None:  # a broken one was closed, and the next one has no lease
            _tell_server()


def _tell_server() -> None:
    settings = ("idle_session_timeout", "idle_in_transaction_session_timeout")
    allowed = _silence.allowed[-1:]
    statements = [f"SET {name} = '{allowed[0]}s'" if allowed else f"RESET {name}" for name in settings]
    with connection.cursor() as cursor:
        cursor.execute("; ".join(statements))


def _try(keys: _Keys) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", keys)
        return bool(cursor.fetchone()[0])


def _wait(keys: _Keys, seconds: float) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {seconds * 1_000:.0f}")
        try:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", keys)
        except OperationalError as error:
            if sqlstate(error) != LOCK_TIMEOUT:
                raise
            return False
        finally:
            if connection.is_usable():
                cursor.execute("RESET lock_timeout")
    return True


def _release(keys: _Keys) -> None:
    """A connection that broke has released its locks already."""
    if not connection.is_usable():
        connection.close()
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", keys)
