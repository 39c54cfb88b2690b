"""What tests read of logs: events with their fields and the correlation id that their lines carry."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.events.append({"event": record.getMessage(), **structlog.contextvars.get_contextvars(), **record.__dict__})


@contextmanager
def logged(name: str = "") -> Iterator[list[dict[str, Any]]]:
    """Events of a logger and those below it, while the block runs."""
    logger, collector = logging.getLogger(name), _Collector()
    logger.addHandler(collector)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield collector.events
    finally:
        logger.removeHandler(collector)
        logger.setLevel(level)
