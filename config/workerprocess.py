"""The Celery app as workers run it: ``celery -A config.workerprocess worker -Q ...``."""

import gc
import os
from typing import Any

from celery.signals import worker_init, worker_process_init

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.work"
os.environ["CELERY_SKIP_CHECKS"] = "1"  # Celery tells nobody what they find

from config.celery import app
from config.celeryprocess import begin
from config.tracing import start_tracing

__all__ = ["app"]


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
