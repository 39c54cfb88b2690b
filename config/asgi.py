"""What the server runs: the gateway, with Django's WSGI application behind it."""

from django.conf import settings

from config.wsgi import application as django_application
from gateway.app import Gateway
from gateway.bridge import WSGIBridge
from gateway.hot import hot_endpoints

application = Gateway(
    WSGIBridge(django_application, upload_paths=frozenset({"/process-csv"})),
    hot_endpoints(),
    hot_path=settings.HOT_PATH,
)
