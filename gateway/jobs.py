"""Background work of the gateway."""

from jobs.job import Job

SWEEP = Job(
    name="gateway.sweep_idempotency", queue="flush", every_seconds=60.0, turn="gateway.views.kept:sweep_expired_answers"
)
JOBS = [SWEEP]
