"""What can stop a request or a job, independent of HTTP. Each error is of a kind, and kinds have a status.

FloodgateError          our own fault
├── Invalid             it cannot be understood
│   └── InvalidInput        names the fields
├── Forbidden
├── NotFound
├── Conflict            what there is now is against it
├── Gone                it was there
├── TooLarge
├── Unprocessable       it is understood, and cannot be done
├── RateLimited
├── Broken              somebody has to mend something
└── Unavailable         try again later; ``retry_after_seconds`` says when
    ├── StoreUnavailable    a store is down or too slow
    └── Overloaded          too much is waiting already
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class FieldError:
    field: str
    detail: str


def in_words(errors: Iterable[FieldError]) -> str:
    """One line for files and terminals, like ``day: Is no day of the calendar. price: Is required.``"""
    return " ".join(f"{error.field}: {error.detail}" for error in errors)


class FloodgateError(Exception):
    """Base of all errors that a caller may see.

    ``code`` is the stable name of the kind, ``detail`` a sentence that says what to do.
    """

    code: ClassVar[str] = "internal-error"
    default_detail: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, detail: str = "") -> None:
        self.detail = detail or self.default_detail
        super().__init__(self.detail)

    def members(self) -> dict[str, Any]:
        """What an answer tells beyond code and detail."""
        return {}


class Invalid(FloodgateError):
    code = "invalid"
    default_detail = "This cannot be understood."


class InvalidInput(Invalid):
    code = "invalid-input"
    default_detail = "The request has errors; see `errors`."

    def __init__(self, *errors: FieldError) -> None:
        super().__init__()
        self.errors = errors


class Forbidden(FloodgateError):
    code = "forbidden"
    default_detail = "This is not yours to do."


class NotFound(FloodgateError):
    code = "not-found"
    default_detail = "There is nothing here."


class Conflict(FloodgateError):
    code = "conflict"
    default_detail = "This cannot be done to what there is now."


class Gone(FloodgateError):
    code = "gone"
    default_detail = "This is not kept any more."


class TooLarge(FloodgateError):
    code = "too-large"
    default_detail = "This is too much at once."


class Unprocessable(FloodgateError):
    code = "unprocessable"
    default_detail = "This is understood, and cannot be done."


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


class Broken(FloodgateError):
    code = "broken"
    default_detail = "Something here is not as it must be, and somebody has to mend it."


class Unavailable(FloodgateError):
    code = "unavailable"
    default_detail = "The service cannot answer now; try again."
    retry_after_seconds: ClassVar[int] = 1


NOTHING_DONE = "A data store does not answer; nothing was done."


class StoreUnavailable(Unavailable):
    """Whoever knows that the store was not even asked says NOTHING_DONE."""

    code = "store-unavailable"
    default_detail = "A data store did not answer in time; whether the request took effect is unknown."


class Overloaded(Unavailable):
    code = "overloaded"
    default_detail = "Too many requests are waiting; nothing was done."
