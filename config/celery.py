"""Celery: wakes workers. Work is a row in PostgreSQL before it is a task, so losing a message costs one beat."""

import os
import warnings

from celery import Celery
from celery.platforms import SecurityWarning  # type: ignore[attr-defined]  # missing in celery-types
from celery.signals import setup_logging

warnings.filterwarnings("ignore", category=SecurityWarning)  # root in a container or on a laptop is the user's choice
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("floodgate")
app.config_from_object("django.conf:settings", namespace="CELERY")


def _all_apps() -> list[str]:
    """For ``celery -A config worker``; what config/workerprocess.py starts loads the tasks of its queues alone."""
    from django.conf import settings

    return list(settings.INSTALLED_APPS) if settings.ANSWERS_REQUESTS else []


app.autodiscover_tasks(_all_apps)


@setup_logging.connect
def _keep_our_logging(**_: object) -> None:
    """Celery would replace the log format of the project; a connected receiver stops it."""
    from logging.config import dictConfig

    from django.conf import settings

    dictConfig(settings.LOGGING)
