"""Background work of counters."""

from config import env
from jobs.job import Job

FLUSH = Job(
    name="counters.flush",
    queue="flush",
    every_seconds=2.0,
    turn="counters.flushing:flush_counters",
    asked=env.FLUSH_WORKERS,  # they start side by side and take different shards
    watch="counters.lateness:flush_if_late",  # losing beat may cost speed but not the promise of ten seconds
    watch_seconds=1.0,
)
PRUNE = Job(name="counters.prune", queue="flush", every_seconds=60.0, turn="counters.flushing:prune_flushes")
JOBS = [FLUSH, PRUNE]
