"""What can stop a request or a job, independent of HTTP. ``gateway/problems.py`` maps each code to a status, once.

FloodgateError
├── InvalidInput        the caller's data is wrong; names the fields
└── Unavailable         try again later; ``retry_after_seconds`` says when
    ├── StoreUnavailable    a store is down or too slow
    └── Overloaded          too much is waiting already
"""

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


class InvalidInput(FloodgateError):
    code = "invalid-input"
    default_detail = "The request has errors; see `errors`."

    def __init__(self, *errors: FieldError) -> None:
        super().__init__()
        self.errors = errors


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
