"""What beat sends."""

from collections.abc import Iterable
from typing import Any

from jobs.job import Job


def beat_schedule(jobs: Iterable[Job]) -> dict[str, dict[str, Any]]:
    """Celery's entries. A message that nobody took until the next is dropped: none pile up behind a stopped worker."""
    return {f"{job.name}-{number}": _entry(job) for job in jobs if job.is_on for number in range(1, job.asked + 1)}


def _entry(job: Job) -> dict[str, Any]:
    options = {"queue": job.queue, "expires": job.every_seconds}
    return {"task": job.name, "schedule": job.every_seconds, "options": options}
