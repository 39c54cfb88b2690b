"""Django as a WSGI application: admin, documentation, work by people. Entered through gateway/server/bridge.py."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
