"""Settings under which an interrupted flush begins again at its first key, and redemptions lock no voucher.

Two defects in one, as the counters and the vouchers do not meet; no CHECK refuses what comes of the second.
"""

from config.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.sabotage.apps.ResumeUnlockedConfig"]  # noqa: F405
