"""A flusher in a process of its own, forked from a server that has Django loaded: it may be killed anywhere."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event

import django
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if not apps.ready:
    django.setup()

from django.db import connection, connections

from counters import flushing


@contextmanager
def granted_lease(shard: int) -> Iterator[bool]:
    """As when a flusher has lost its lease and does not know: several take the same shard."""
    yield True


def flush_until(database: str, slice_keys: int, has_leases: bool, begun: Event, stop: Event) -> None:
    """Flush over and over, in slices of ``slice_keys``, until ``stop``; sets ``begun`` when its first flush is due.

    Raises: whatever stops a flush, a deadlock for instance; the process then ends with exit code 1.
    """
    connections.settings["default"]["NAME"] = database
    connection.settings_dict["NAME"] = database
    flushing.SLICE_KEYS = slice_keys
    if not has_leases:
        flushing.shard_lease = granted_lease  # type: ignore[attr-defined]  # imported by name
    connection.ensure_connection()
    begun.set()
    while not stop.is_set():
        flushing.flush_counters()
        time.sleep(0.001)  # lets writers in: an idle flush is only questions
