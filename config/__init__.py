"""The project's wiring: environment, settings, URLs, ASGI, WSGI, Celery."""
