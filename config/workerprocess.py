"""The Celery app as workers run it, by config/celerycommand.py."""

import gc
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from celery.apps import worker
from celery.signals import worker_init, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.work")
os.environ["CELERY_SKIP_CHECKS"] = "1"  # Celery tells nobody what they find

from config.celery import app
from config.celeryprocess import begin
from config.tracing import start_tracing

__all__ = ["app"]


class Worker(worker.Worker):
    """Loads the tasks of its queues alone: those of imports take 20 MiB that the others do without."""

    def __init__(self, *args: Any, queues: Sequence[str] = (), **options: Any) -> None:
        app.autodiscover_tasks(_apps_of(queues or [app.conf.task_default_queue]))
        super().__init__(*args, queues=queues, **options)


def _apps_of(queues: Sequence[str]) -> list[str]:
    """Whose tasks beat sends there, which are all that have any."""
    entries = app.conf.beat_schedule.values()
    return sorted({entry["task"].partition(".")[0] for entry in entries if entry["options"]["queue"] in queues})


app.Worker = partial(Worker, app=app)  # type: ignore[misc, assignment]  # a cached property, which may be set


@worker_init.connect
def _begin_worker(sender: Any, **_: object) -> None:
    begin(f"worker-{sender.hostname.partition('@')[0]}")
    _share_memory()


def _share_memory() -> None:
    """Before the pool is forked: a collection of garbage writes to all that it looks at, and a child that did so would
    have its own copy of all modules.
    """
    gc.collect()
    gc.freeze()


@worker_process_init.connect
def _begin_work(**_: object) -> None:
    start_tracing("worker")
    gc.freeze()  # nor need it look through what that has loaded
