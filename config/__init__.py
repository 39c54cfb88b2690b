"""The project's wiring: environment, settings, URLs, ASGI, WSGI, Celery."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
