"""``Idempotency-Key``: the header, and the idempotency record that bulk functions get from it.

The scope of a key is the account, the route and the key. The address of a client is not part of it, because a repeat
may come over another network.
"""

import re
from hashlib import blake2b

from drf_spectacular.utils import OpenApiParameter

from common.errors import FieldError, InvalidInput
from common.idempotency import IdempotencyRecord
from gateway.contract.http import HotRequest

HEADER = b"idempotency-key"
REPLAYED_HEADER = (b"idempotency-replayed", b"true")
DIGEST_BYTES = 16
_KEY = re.compile(rb"[\x21-\x7e]{1,255}")
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="1 to 255 visible ASCII characters. A repeat with the same key gets the first answer again.",
)


def record_of(request: HotRequest, route: str) -> IdempotencyRecord | None:
    """The idempotency record of a request to a hot endpoint; None without an Idempotency-Key. Raises InvalidInput."""
    key = request.fields.get(HEADER)
    if key is None:
        return None
    return idempotency_record(key, request.account, route, request.param.encode(), request.query_string, request.body)


def idempotency_record(key: bytes, account: str, route: str, *content: bytes) -> IdempotencyRecord:
    """The idempotency record of a request with ``key``; ``content`` is all that makes another request of it.

    Raises: InvalidInput: the key is empty, longer than 255 characters or not ASCII.
    """
    if not _KEY.fullmatch(key):
        raise InvalidInput(FieldError("Idempotency-Key", "Must be 1 to 255 visible ASCII characters, such as a UUID."))
    return IdempotencyRecord(_digest(account.encode(), route.encode(), key), _digest(*content))


def _digest(*parts: bytes) -> bytes:
    """Of the parts with their lengths, so that no two lists of parts look the same."""
    digest = blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()
