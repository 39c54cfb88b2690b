"""Celery: wakes workers. Work is a row in PostgreSQL before it is a task, so losing a message costs one beat."""

import os
import warnings

from celery import Celery
from celery.platforms import SecurityWarning  # type: ignore[attr-defined]  # missing in celery-types
from celery.signals import import_modules, setup_logging

warnings.filterwarnings("ignore", category=SecurityWarning)  # root in a container or on a laptop is the user's choice
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("floodgate")
app.config_from_object("django.conf:settings", namespace="CELERY")


@import_modules.connect
def _add_all_tasks(sender: Celery, **_: object) -> None:
    """For ``celery -A config worker``; what config/workerprocess.py starts has the tasks of its queues alone."""
    from django.conf import settings

    from jobs.running import add_tasks

    if settings.ANSWERS_REQUESTS:
        add_tasks(sender, settings.JOBS)


@setup_logging.connect
def _keep_our_logging(**_: object) -> None:
    """Celery would replace the log format of the project; a connected receiver stops it."""
    from logging.config import dictConfig

    from django.conf import settings

    dictConfig(settings.LOGGING)
