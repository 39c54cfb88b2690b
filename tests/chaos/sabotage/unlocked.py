"""Settings under which redemptions lock no voucher, and no CHECK refuses what comes of it."""

from config.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.sabotage.apps.UnlockedConfig"]  # noqa: F405
