"""What the server runs: the gateway, with Django's WSGI application behind it."""

from django.conf import settings

from config.tracing import start_tracing, traced
from config.wsgi import application as django_application
from gateway.endpoints.hot import hot_endpoints
from gateway.server.app import Gateway
from gateway.server.bridge import WSGIBridge
from gateway.server.cors import with_cors

start_tracing("web")
application = traced(
    with_cors(
        Gateway(
            WSGIBridge(
                django_application,
                body_limits={"/process-csv": settings.UPLOAD_MAX_BYTES, "/rates/batches": settings.BATCH_MAX_BYTES},
            ),
            hot_endpoints(),
            hot_path=settings.HOT_PATH,
        )
    )
)
