"""Background work of timestamps."""

from jobs.job import Job

CONSUME = Job(
    name="timestamps.consume",
    queue="events",
    every_seconds=1.0,
    turn="timestamps.consumer.consuming:follow_log",
    watch="timestamps.consumer.lateness:consume_if_late",  # losing beat may cost speed, but no more than a second
    watch_seconds=0.5,
)
ARCHIVE = Job(
    name="timestamps.archive", queue="batches", every_seconds=5.0, turn="timestamps.log.archiving:archive_step"
)
REPLAY = Job(
    name="timestamps.replay", queue="batches", every_seconds=1.0, turn="timestamps.replay.replaying:replay_step"
)
CLEAN_UP = Job(
    name="timestamps.clean_up",
    queue="batches",
    every_seconds=60.0,
    turn="timestamps.replay.replays:drop_retired_tables",
)
RESOLVE = Job(
    name="timestamps.resolve_dead_letters",
    queue="batches",
    every_seconds=60.0,
    turn="timestamps.records.resolving:resolve_dead_letters",
)
JOBS = [CONSUME, ARCHIVE, REPLAY, CLEAN_UP, RESOLVE]
