"""The correlation id: one UUID that follows a request through logs, Celery and the stores."""

import random

from common.uuids import HYPHENATED_UUID
from gateway.errors import InvalidCorrelationId
from gateway.http import Headers

_VERSION_4 = 0x4000_8000_0000_0000_0000
_FREE_BITS = ~0xF000_C000_0000_0000_0000
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
    return fresh_id()


def fresh_id() -> str:
    """A version 4 UUID in a third of the time that ``uuid`` takes; it needs to be unique, not to be unguessable."""
    digits = f"{random.getrandbits(128) & _FREE_BITS | _VERSION_4:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
