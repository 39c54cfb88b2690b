"""Celery: each kind of work has a queue and workers of its own."""

from config import env
from jobs.job import declared_jobs
from jobs.schedule import beat_schedule

CELERY_BROKER_URL = env.CELERY_BROKER_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A broker that is lost ends no worker, however it is lost: Celery would take what a replica or a full store answers for
# final, and give up after a hundred attempts.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_WORKER_CONSUMER = "config.consumer:Consumer"
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 30, "socket_connect_timeout": 2}
CELERY_TASK_IGNORE_RESULT = True  # results are rows of our own tables
CELERY_TASK_DEFAULT_QUEUE = "imports"
CELERY_TASK_PUBLISH_RETRY = False  # a lost wake-up costs one beat
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"

JOBS = declared_jobs(["promotions", "counters", "vouchers", "timestamps", "rates", "gateway"])
CELERY_BEAT_SCHEDULE = beat_schedule(JOBS)
