"""Background work of timestamps."""

from functools import partial

from jobs.job import Job

_job = partial(Job, waits_for_migrations=True)  # the log is consumed as soon as there is a database

CONSUME = _job(
    name="timestamps.consume",
    queue="events",
    every_seconds=1.0,
    turn="timestamps.consumer.consuming:follow_log",
    watch="timestamps.consumer.lateness:consume_if_late",  # losing beat may cost speed, but no more than a second
    watch_seconds=0.5,
)
ARCHIVE = _job(
    name="timestamps.archive", queue="batches", every_seconds=5.0, turn="timestamps.log.archiving:archive_step"
)
REPLAY = _job(
    name="timestamps.replay", queue="batches", every_seconds=1.0, turn="timestamps.replay.replaying:replay_step"
)
CLEAN_UP = _job(
    name="timestamps.clean_up",
    queue="batches",
    every_seconds=60.0,
    turn="timestamps.replay.replays:drop_retired_tables",
)
RESOLVE = _job(
    name="timestamps.resolve_dead_letters",
    queue="batches",
    every_seconds=60.0,
    turn="timestamps.records.resolving:resolve_dead_letters",
)
JOBS = [CONSUME, ARCHIVE, REPLAY, CLEAN_UP, RESOLVE]
