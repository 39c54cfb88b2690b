"""Settings of beat, which knows names of tasks and no more."""

from config.settings import *  # noqa: F403

INSTALLED_APPS = list[str]()
ANSWERS_REQUESTS = False
