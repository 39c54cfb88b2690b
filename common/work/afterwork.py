"""Work that goes on for a request after its answer: under the correlation id that is stored with it.

Its log lines carry the id, and where traces are on, it is a part of the request's trace: config/tracing.py gives each
trace the correlation id as its own.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from structlog.contextvars import bound_contextvars

_open_span: Callable[[str], AbstractContextManager[object]] = nullcontext


def trace_work(open_span: Callable[[str], AbstractContextManager[object]]) -> None:
    """From now on each piece of work is done within ``open_span(its name)``."""
    global _open_span
    _open_span = open_span


@contextmanager
def working_for(correlation_id: str, name: str, **fields: object) -> Iterator[None]:
    """``fields`` are for log lines too."""
    with bound_contextvars(correlation_id=correlation_id, **fields), _open_span(name):
        yield
