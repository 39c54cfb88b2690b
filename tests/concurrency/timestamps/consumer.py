"""A consumer in a process of its own, forked from a server that has Django loaded: it may be killed anywhere."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any

import django
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if not apps.ready:
    django.setup()

from django.db import connection, connections

from timestamps.consumer import consuming
from timestamps.log import stream
from timestamps.models import RecordTable
from timestamps.records import projecting


@contextmanager
def granted_lease(*, wait_seconds: float = 0.0) -> Iterator[bool]:
    """As when a consumer has lost its lease and does not know: several write into the same table."""
    yield True


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def use_database(name: str) -> None:
    connections.settings["default"]["NAME"] = name
    connection.settings_dict["NAME"] = name


def consume_and_die(database: str, before: str) -> None:
    """Consume, and be killed right before ``commit`` or before the log is ``told``."""
    use_database(database)
    if before == "commit":
        RecordTable.save = die  # type: ignore[method-assign]
    else:
        stream.raise_high_water_mark = die
    consuming.consume_log()


def consume_until(database: str, step_entries: int, has_leases: bool, begun: Event, stop: Event) -> None:
    """Consume over and over until ``stop``; sets ``begun`` when the first time is due."""
    use_database(database)
    projecting.STEP_ENTRIES = step_entries
    consuming.STEP_ENTRIES = step_entries  # type: ignore[attr-defined]  # imported by name
    if not has_leases:
        consuming.consumer_lease = granted_lease  # type: ignore[attr-defined]
    connection.ensure_connection()
    begun.set()
    while not stop.is_set():
        consuming.consume_log()
        time.sleep(0.001)  # lets writers in
