"""What is wrong with a request before any domain sees it.

InvalidInput
└── InvalidCorrelationId
Forbidden
├── InsufficientScope
└── CrossSiteRequest
Conflict
└── TooManyKeys
TooLarge
└── BodyTooLarge
HttpError
├── Unauthorized
│   └── KeyRefused
├── EncodedBody
├── UnknownTransferCoding
├── MalformedRequest
├── TargetTooLong
├── HeadTooLarge
├── HeadStalled
├── IncompleteBody
├── BodyStalled
├── StorageFull
├── LoginLocked
├── UnknownMethod
└── ForeignHost
Broken
└── TruthIsUnsafe
Unavailable
└── ShuttingDown
"""

from http import HTTPStatus
from typing import Any, ClassVar, Self

from common.errors import Broken, Conflict, FieldError, FloodgateError, Forbidden, InvalidInput, TooLarge, Unavailable


class InvalidCorrelationId(InvalidInput):
    def __init__(self) -> None:
        help_text = "Must be a UUID like 123e4567-e89b-12d3-a456-426614174000, or absent."
        super().__init__(FieldError("correlationId", help_text))


class HttpError(FloodgateError):
    """One that only HTTP has, with a status of its own."""

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST


CHALLENGE = 'Bearer realm="floodgate"'  # RFC 6750


class Unauthorized(HttpError):
    """Attributes: challenge: the value of WWW-Authenticate."""

    code = "unauthorized"
    status = HTTPStatus.UNAUTHORIZED
    default_detail = "Send an API key that is valid as `Authorization: Bearer fg_...`."
    challenge = CHALLENGE


class KeyRefused(Unauthorized):
    default_detail = "This API key is unknown, revoked or expired; send one that is valid."
    challenge = f'{CHALLENGE}, error="invalid_token", error_description="The key is unknown, revoked or expired."'


class InsufficientScope(Forbidden):
    code = "insufficient-scope"

    def __init__(self, needed: str) -> None:
        super().__init__(f"Your API key lacks the scope `{needed}`, which this needs; nothing was done.")
        self.needed = needed
        self.challenge = f'{CHALLENGE}, error="insufficient_scope", scope="{needed}"'

    def members(self) -> dict[str, Any]:
        return {"scope": self.needed}


class TooManyKeys(Conflict):
    code = "too-many-api-keys"

    def __init__(self, account: str) -> None:
        super().__init__(f"{account!r} has two keys that are valid, which is the most; revoke one of them first.")


class EncodedBody(HttpError):
    code = "unsupported-encoding"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    default_detail = "Bodies are taken as they are: send it without Content-Encoding. Nothing was done."


class UnknownTransferCoding(HttpError):
    code = "unknown-transfer-coding"
    status = HTTPStatus.NOT_IMPLEMENTED
    default_detail = "Send the body with a Content-Length or `Transfer-Encoding: chunked` alone. Nothing was done."


class BodyTooLarge(TooLarge):
    code = "body-too-large"
    default_detail = "The body is too large."

    @classmethod
    def of(cls, limit_bytes: int) -> Self:
        return cls(f"The body is larger than the {limit_bytes:,} bytes that this address takes.")


class MalformedRequest(HttpError):
    code = "malformed-request"
    status = HTTPStatus.BAD_REQUEST
    default_detail = "This is no HTTP/1.1 request that can be told from what follows it; the connection is closed."


class TargetTooLong(HttpError):
    code = "target-too-long"
    status = HTTPStatus.REQUEST_URI_TOO_LONG
    default_detail = "The address with its query is too long; send what it holds in a body."


class HeadTooLarge(HttpError):
    code = "head-too-large"
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    default_detail = "The request has too many headers, or they are too large."

    @classmethod
    def of(cls, headers: int, limit_bytes: int) -> Self:
        return cls(f"The request has more than {headers} headers, or more than {limit_bytes:,} bytes of them.")


class HeadStalled(HttpError):
    code = "head-stalled"
    status = HTTPStatus.REQUEST_TIMEOUT
    default_detail = "The head of the request did not arrive in time; nothing was done."


class IncompleteBody(HttpError):
    code = "incomplete-body"
    status = HTTPStatus.BAD_REQUEST
    default_detail = "The body ended before its Content-Length; nothing was done."


class BodyStalled(HttpError):
    code = "body-stalled"
    status = HTTPStatus.REQUEST_TIMEOUT
    default_detail = "The body stopped arriving; nothing was done."


class StorageFull(HttpError):
    code = "storage-full"
    status = HTTPStatus.INSUFFICIENT_STORAGE
    default_detail = "There is no room to take this in; nothing was done."


class LoginLocked(HttpError):
    """Attributes: retry_after_seconds: since the last failure that counted."""

    code = "login-locked"
    status = HTTPStatus.TOO_MANY_REQUESTS
    default_detail = "Too many wrong passwords for this user from where you are; try again after Retry-After seconds."

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


class UnknownMethod(HttpError):
    code = "unknown-method"
    status = HTTPStatus.NOT_IMPLEMENTED
    default_detail = "There is no such HTTP method here."


class ForeignHost(HttpError):
    """A name that leads here and is not ours: by such names pages of other sites reach what only a browser can."""

    code = "foreign-host"
    status = HTTPStatus.BAD_REQUEST

    def __init__(self, host: str) -> None:
        super().__init__(f"This service does not answer to the Host {host[:200]!r}: it is not in ALLOWED_HOSTS.")


class CrossSiteRequest(Forbidden):
    code = "cross-site-request"
    default_detail = "Pages of other sites may not change anything here."


class TruthIsUnsafe(Broken):
    code = "truth-is-unsafe"
    default_detail = "The truth Valkey may lose what it takes."


class ShuttingDown(Unavailable):
    code = "shutting-down"
    default_detail = "This server was stopped before the answer; whether the request took effect is unknown."
