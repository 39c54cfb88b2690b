"""Django as a WSGI application: admin, documentation and work by people. The server enters it through gateway/bridge.py."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
