"""The correlation id: one UUID that follows a request through logs, Celery and the stores."""

import re
import uuid

from gateway.errors import InvalidCorrelationId
from gateway.http import Headers

_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NAMES = {b"correlationid": "correlationId", b"x-correlation-id": "X-Correlation-ID"}


def correlation_id_of(headers: Headers) -> str:
    """The id that the client gave, or a fresh one.

    Raises: InvalidCorrelationId: what the client gave is no UUID.
    """
    for name, value in headers:
        if name in _NAMES:
            if not _UUID.fullmatch(value):
                raise InvalidCorrelationId(_NAMES[name])
            return value.decode().lower()
    return str(uuid.uuid4())
