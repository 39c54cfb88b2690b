"""The Celery app as workers run it, by config/celerycommand.py."""

import gc
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from celery.apps import worker
from celery.signals import worker_init, worker_process_init
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.work")
os.environ["CELERY_SKIP_CHECKS"] = "1"  # Celery tells nobody what they find

from config.celery import app
from config.celeryprocess import begin
from config.tracing import start_tracing
from jobs.job import jobs_of
from jobs.running import add_tasks
from jobs.watchdog import start_watchdogs

__all__ = ["app"]


class Worker(worker.Worker):
    """Has the tasks of its queues alone, and imports what they need: imports take 20 MiB that others do without."""

    def __init__(self, *args: Any, queues: Sequence[str] = (), **options: Any) -> None:
        self.jobs = jobs_of(settings.JOBS, queues or [app.conf.task_default_queue])
        add_tasks(app, self.jobs)
        super().__init__(*args, queues=queues, **options)


app.Worker = partial(Worker, app=app)  # type: ignore[misc, assignment]  # a cached property, which may be set


@worker_init.connect
def _begin_worker(sender: Any, **_: object) -> None:
    begin(f"worker-{sender.hostname.partition('@')[0]}")
    for job in sender.jobs:
        job.load()
    _share_memory()
    start_watchdogs(sender.jobs)


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
