"""Settings of Celery's workers, which answer no requests: without what is there for people and clients."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as ALL_APPS

FOR_REQUESTS = {
    "unfold",
    "django.contrib.admin",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_prometheus",
    "axes",
    "csp",
    "devstack",
}
INSTALLED_APPS = [app for app in ALL_APPS if app not in FOR_REQUESTS]
ANSWERS_REQUESTS = False
