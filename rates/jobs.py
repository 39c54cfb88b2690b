"""Background work of rates."""

from config import env
from jobs.job import Job

APPLY = Job(
    name="rates.apply_batches",
    queue="batches",
    every_seconds=1.0,
    turn="rates.batches.applying:apply_batches",
    turn_seconds=5.0,
    woken=2,
)
PRUNE = Job(
    name="rates.prune_batches",
    queue="batches",
    every_seconds=60.0,
    turn="rates.batches.pruning:prune_batches",
    turn_seconds=5.0,
)
REFRESH = Job(
    name="rates.refresh_exchange_rates",
    queue="batches",
    every_seconds=60.0,
    turn="rates.exchange.refreshing:refresh_published_rates",
    is_on=bool(env.OPENEXCHANGERATES_APP_ID),
)
JOBS = [APPLY, PRUNE, REFRESH]
