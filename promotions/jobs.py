"""Background work of promotions. An import takes what readers leave of the processor."""

from functools import partial

from config import env
from jobs.job import Job

_job = partial(Job, queue="imports", niceness=10, turn_seconds=5.0)

IMPORT = _job(
    name="promotions.work_on_imports",
    every_seconds=1.0,
    turn="promotions.steps.importing:work_on_imports",
    woken=env.IMPORT_WORKERS,
)
PRUNE_REJECTS = _job(
    name="promotions.prune_rejects", every_seconds=60.0, turn="promotions.imports.rejects:prune_rejects"
)
CLEAN_UP = _job(name="promotions.clean_up", every_seconds=60.0, turn="promotions.versions.retention:clean_up")
JOBS = [IMPORT, PRUNE_REJECTS, CLEAN_UP]
