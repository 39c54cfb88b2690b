"""The stores that requests wait for, each with its circuit."""

from django.db import connections

from common import valkey
from common.circuits import Circuit


def ask_database(alias: str) -> None:
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connections[alias].close()


WRITE_STORE = Circuit("write-store", lambda: ask_database("default"))
READ_STORE = Circuit("read-store", lambda: ask_database("read"))
TRUTH = Circuit("valkey-truth", lambda: valkey.truth().ping())
CACHE = Circuit("valkey-cache", lambda: valkey.cache_store().ping())
