"""What became of Celery's tasks, and how long they took, counted in the processes that ran them."""

import time
from typing import Any

from billiard.exceptions import WorkerLostError
from celery.signals import task_failure, task_postrun, task_prerun, task_revoked
from prometheus_client import Counter, Histogram

TASKS = Counter(
    "floodgate_tasks",
    "Tasks that ended: success, failure, lost with their process, or expired before anybody took them.",
    ["task", "outcome"],
)
DURATION = Histogram(
    "floodgate_task_duration_seconds",
    "Duration of tasks that were run.",
    ["task"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)
_started_at: dict[str, float] = {}


@task_prerun.connect
def _note_start(task_id: str, **_: object) -> None:
    _started_at[task_id] = time.perf_counter()


@task_postrun.connect
def _count_end(task_id: str, task: Any, state: str | None, **_: object) -> None:
    TASKS.labels(task.name, (state or "unknown").lower()).inc()
    DURATION.labels(task.name).observe(time.perf_counter() - _started_at.pop(task_id))


@task_failure.connect
def _count_lost(sender: Any, exception: BaseException, **_: object) -> None:
    """Of a process that died the worker itself tells; all other failures are counted where they happen."""
    if isinstance(exception, WorkerLostError):
        TASKS.labels(sender.name, "lost").inc()


@task_revoked.connect
def _count_expired(sender: Any, expired: bool, **_: object) -> None:
    if expired:
        TASKS.labels(sender.name, "expired").inc()
