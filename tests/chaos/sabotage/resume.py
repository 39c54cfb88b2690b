"""Settings under which a flush that was interrupted begins again at its first key."""

from config.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.sabotage.apps.ResumeConfig"]  # noqa: F405
