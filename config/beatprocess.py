"""The Celery app as beat runs it, by config/celerycommand.py."""

import heapq
import os
import time

from celery import beat as celery_beat
from celery.signals import beat_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.beat")
os.environ["CELERY_SKIP_CHECKS"] = "1"  # there is nothing to check

from config.celery import app
from config.celeryprocess import beat, begin
from config.tracing import start_tracing

__all__ = ["app"]


class Scheduler(celery_beat.Scheduler):
    """Sends each entry of the settings at its pace. A tick sends at most one task.

    Celery's own asks on each tick for the time of all entries in their time zones, and compares them with the settings:
    more than half of what beat cost. It also keeps when it sent what in a file; here all are sent within a second of a
    start, one queue after the other and not all at once, and so they stay. What is for one queue is sent together, and
    wakes its worker once.
    """

    def setup_schedule(self) -> None:
        self.merge_inplace(self.app.conf.beat_schedule)
        self._seconds: dict[str, float] = {name: made["schedule"] for name, made in self.app.conf.beat_schedule.items()}
        queue_of = {name: made["options"]["queue"] for name, made in self.app.conf.beat_schedule.items()}
        queues = sorted(set(queue_of.values()))
        now = time.monotonic()
        self._due = [(now + queues.index(queue) / len(queues), name) for name, queue in queue_of.items()]
        heapq.heapify(self._due)

    def tick(self, *_: object, **__: object) -> float:
        """Send what is due. Returns in how many seconds the next one is."""
        beat()
        due_at, name = self._due[0]
        if (now := time.monotonic()) >= due_at:
            heapq.heapreplace(self._due, (_next(due_at, self._seconds[name], now), name))
            self.apply_entry(self.schedule[name], producer=self.producer)
        return max(self._due[0][0] - time.monotonic(), 0.0)


def _next(due_at: float, seconds: float, now: float) -> float:
    """What was missed while the broker was away is not made up for."""
    return due_at + seconds if now - due_at < seconds else now + seconds


app.conf.beat_scheduler = Scheduler


@beat_init.connect
def _begin_beat(**_: object) -> None:
    begin("beat")
    start_tracing("beat")
