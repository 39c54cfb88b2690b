"""Django settings, one file per subject."""

import config.celery  # noqa: F401  (whoever has settings can wake workers)
from config.settings.base import *  # noqa: F403  (Django reads settings as one flat namespace)
from config.settings.celery import *  # noqa: F403
from config.settings.databases import *  # noqa: F403
from config.settings.floodgate import *  # noqa: F403
from config.settings.logging import *  # noqa: F403
from config.settings.rest import *  # noqa: F403
from config.settings.security import *  # noqa: F403
