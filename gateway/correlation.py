"""The correlation id: one UUID that follows a request through logs, Celery and the stores."""

import uuid

from common.uuids import HYPHENATED_UUID
from gateway.errors import InvalidCorrelationId
from gateway.http import Headers

_NAMES = {b"correlationid": "correlationId", b"x-correlation-id": "X-Correlation-ID"}


def correlation_id_of(headers: Headers) -> str:
    """The id that the client gave, or a fresh one.

    Raises: InvalidCorrelationId: what the client gave is no UUID.
    """
    for name, value in headers:
        if name in _NAMES:
            text = value.decode("latin-1")
            if not HYPHENATED_UUID.fullmatch(text):
                raise InvalidCorrelationId(_NAMES[name])
            return text.lower()
    return str(uuid.uuid4())
