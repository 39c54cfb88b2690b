"""What is wrong with a request before any domain sees it.

FloodgateError
├── InvalidInput
│   └── InvalidCorrelationId
├── Unauthorized
│   └── KeyRefused
├── InsufficientScope
├── TooManyKeys
├── NotFound
├── RateLimited
├── LoginLocked
├── UnknownMethod
├── ForeignHost
├── CrossSiteRequest
├── EncodedBody
├── UnknownTransferCoding
├── BodyTooLarge
├── MalformedRequest
├── TargetTooLong
├── HeadTooLarge
├── HeadStalled
├── IncompleteBody
├── BodyStalled
├── StorageFull
├── ShuttingDown
└── TruthIsUnsafe
"""

import math
from typing import Any, Self

from common.errors import FieldError, FloodgateError, InvalidInput, Unavailable


class InvalidCorrelationId(InvalidInput):
    def __init__(self) -> None:
        help_text = "Must be a UUID like 123e4567-e89b-12d3-a456-426614174000, or absent."
        super().__init__(FieldError("correlationId", help_text))


CHALLENGE = 'Bearer realm="floodgate"'  # RFC 6750


class Unauthorized(FloodgateError):
    """Attributes: challenge: the value of WWW-Authenticate."""

    code = "unauthorized"
    default_detail = "Send an API key that is valid as `Authorization: Bearer fg_...`."
    challenge = CHALLENGE


class KeyRefused(Unauthorized):
    default_detail = "This API key is unknown, revoked or expired; send one that is valid."
    challenge = f'{CHALLENGE}, error="invalid_token", error_description="The key is unknown, revoked or expired."'


class InsufficientScope(FloodgateError):
    code = "insufficient-scope"

    def __init__(self, needed: str) -> None:
        super().__init__(f"Your API key lacks the scope `{needed}`, which this needs; nothing was done.")
        self.needed = needed
        self.challenge = f'{CHALLENGE}, error="insufficient_scope", scope="{needed}"'

    def members(self) -> dict[str, Any]:
        return {"scope": self.needed}


class TooManyKeys(FloodgateError):
    code = "too-many-api-keys"

    def __init__(self, account: str) -> None:
        super().__init__(f"{account!r} has two keys that are valid, which is the most; revoke one of them first.")


class NotFound(FloodgateError):
    code = "not-found"
    default_detail = "There is nothing here."


class EncodedBody(FloodgateError):
    code = "unsupported-encoding"
    default_detail = "Bodies are taken as they are: send it without Content-Encoding. Nothing was done."


class UnknownTransferCoding(FloodgateError):
    code = "unknown-transfer-coding"
    default_detail = "Send the body with a Content-Length or `Transfer-Encoding: chunked` alone. Nothing was done."


class BodyTooLarge(FloodgateError):
    code = "body-too-large"
    default_detail = "The body is too large."

    @classmethod
    def of(cls, limit_bytes: int) -> Self:
        return cls(f"The body is larger than the {limit_bytes:,} bytes that this address takes.")


class MalformedRequest(FloodgateError):
    code = "malformed-request"
    default_detail = "This is no HTTP/1.1 request that can be told from what follows it; the connection is closed."


class TargetTooLong(FloodgateError):
    code = "target-too-long"
    default_detail = "The address with its query is too long; send what it holds in a body."


class HeadTooLarge(FloodgateError):
    code = "head-too-large"
    default_detail = "The request has too many headers, or they are too large."

    @classmethod
    def of(cls, headers: int, limit_bytes: int) -> Self:
        return cls(f"The request has more than {headers} headers, or more than {limit_bytes:,} bytes of them.")


class HeadStalled(FloodgateError):
    code = "head-stalled"
    default_detail = "The head of the request did not arrive in time; nothing was done."


class IncompleteBody(FloodgateError):
    code = "incomplete-body"
    default_detail = "The body ended before its Content-Length; nothing was done."


class BodyStalled(FloodgateError):
    code = "body-stalled"
    default_detail = "The body stopped arriving; nothing was done."


class StorageFull(FloodgateError):
    code = "storage-full"
    default_detail = "There is no room to take this in; nothing was done."


class RateLimited(FloodgateError):
    """Attributes: policy, quota, window_seconds: the limit that was met; retry_after_seconds: whole, at least 1."""

    code = "rate-limited"
    default_detail = "You ask too often; nothing was done. Ask again after Retry-After seconds."

    def __init__(self, policy: str, quota: int, window_seconds: int, wait_seconds: float) -> None:
        super().__init__()
        self.policy = policy
        self.quota = quota
        self.window_seconds = window_seconds
        self.retry_after_seconds = max(1, math.ceil(wait_seconds))


class LoginLocked(FloodgateError):
    """Attributes: retry_after_seconds: since the last failure that counted."""

    code = "login-locked"
    default_detail = "Too many wrong passwords for this user from where you are; try again after Retry-After seconds."

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


class UnknownMethod(FloodgateError):
    code = "unknown-method"
    default_detail = "There is no such HTTP method here."


class ForeignHost(FloodgateError):
    """A name that leads here and is not ours: by such names pages of other sites reach what only a browser can."""

    code = "foreign-host"

    def __init__(self, host: str) -> None:
        super().__init__(f"This service does not answer to the Host {host[:200]!r}: it is not in ALLOWED_HOSTS.")


class CrossSiteRequest(FloodgateError):
    code = "cross-site-request"
    default_detail = "Pages of other sites may not change anything here."


class TruthIsUnsafe(FloodgateError):
    code = "truth-is-unsafe"
    default_detail = "The truth Valkey may lose what it takes."


class ShuttingDown(Unavailable):
    code = "shutting-down"
    default_detail = "This server was stopped before the answer; whether the request took effect is unknown."
