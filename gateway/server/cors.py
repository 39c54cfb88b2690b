"""Pages of other origins, in front of both doors: preflights are answered here, and answers say who may read them.

Nothing of it is there while no origin is allowed. Cookies are never let in (``allow_credentials``): a page of another
origin asks with an API key or as anybody, and never as the person who is logged in to the admin.
"""

from django.conf import settings
from starlette.middleware.cors import CORSMiddleware

from gateway.contract.http import ASGIApp

METHODS = ("GET", "HEAD", "POST")
EXPOSED = (
    "correlationId",
    "X-Correlation-ID",
    "Idempotency-Replayed",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-Data-Version",
    "ETag",
    "Location",
)


def with_cors(app: ASGIApp) -> ASGIApp:
    """``app``, answering pages of settings.CORS_ALLOWED_ORIGINS too; without any it is the same object."""
    if not settings.CORS_ALLOWED_ORIGINS:
        return app
    return CORSMiddleware(
        app,
        allow_origins=settings.CORS_ALLOWED_ORIGINS,
        allow_methods=METHODS,
        allow_headers=("*",),
        expose_headers=EXPOSED,
    )
