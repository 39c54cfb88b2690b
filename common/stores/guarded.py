"""The stores that requests wait for, each with its circuit."""

from django.db import InterfaceError, InternalError, OperationalError, connections
from redis.exceptions import RedisError

from common.stores import valkey
from common.stores.circuits import Circuit
from common.stores.sqlstate import LOCK_TIMEOUT, sqlstate

# What drivers raise while a store is away or too slow. InternalError: PostgreSQL takes no writes, as a standby does and
# a primary for a while after a failover (25006), or has ended a transaction that was idle (25P03).
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)
STORE_AWAY = (*DATABASE_AWAY, RedisError)
# Connection lost, read-only or idle for too long, server stopping or starting, no disk, too many connections; conflicts
# with other transactions.
_TEMPORARY = ("08", "25", "57P", "53100", "53300", "40", LOCK_TIMEOUT)


def is_temporary(error: BaseException) -> bool:
    """Whether it was no fault of the work that the database was given: the same may succeed later."""
    state = sqlstate(error)
    return isinstance(error, DATABASE_AWAY) and (not state or state.startswith(_TEMPORARY))


def ask_database(alias: str) -> None:
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connections[alias].close()


WRITE_STORE = Circuit("write-store", lambda: ask_database("default"), database="default")
READ_STORE = Circuit("read-store", lambda: ask_database("read"), database="read")
TRUTH = Circuit("valkey-truth", lambda: valkey.truth().ping())
CACHE = Circuit("valkey-cache", lambda: valkey.cache_store().ping())
