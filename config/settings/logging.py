"""Logs: JSON with the correlation id in production, readable lines in development.

Tracebacks come without the values of variables: those are passwords and phone numbers, and to show one may ask a
database that does not answer while all other threads wait to log.
"""

from logging import captureWarnings
from typing import Any

import structlog

from config import env
from config.redaction import redact_event, redact_line

captureWarnings(True)


def _named(value: object) -> str:
    """In place of what JSON does not have."""
    return f"<{type(value).__name__}>"


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
]
_RENDERERS: dict[str, list[Any]] = {
    "json": [
        structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
        redact_event,
        structlog.processors.JSONRenderer(default=_named),
    ],
    "console": [
        redact_event,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        redact_line,
    ],
}

structlog.configure(
    processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _SHARED,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_RENDERERS[env.LOG_FORMAT],
            ],
        },
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django.request": {"level": "ERROR"},  # a 404 is an answer
        "axes": {"level": "ERROR"},  # the log `audit` tells what it does, in fewer words
        "celery.worker.strategy": {"level": "WARNING"},  # one line per wake-up otherwise
        "celery.worker.request": {"level": "WARNING"},  # one line per wake-up that nobody needed
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
