"""Settings under which a flush takes the buffer away before the database has it."""

from config.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.sabotage.apps.HandOverConfig"]  # noqa: F405
