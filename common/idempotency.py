"""What an ``Idempotency-Key`` means to a bulk function: the same request again is the same effect once.

A bulk function gets the idempotency record with the item, writes it together with the effect, in the same script call
or transaction, and answers a repeat with ``Replayed``. Refusals leave no record: the same key may then be tried again.
"""

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from common.errors import Conflict, Unprocessable

Result = TypeVar("Result")


class IdempotencyRecord(NamedTuple):
    """A request that may come again.

    Attributes:
        digest: 16 bytes that name it: who sent it, the route and the key.
        fingerprint: 16 bytes of its content.
    """

    digest: bytes
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Replayed(Generic[Result]):
    """The result of an earlier request with the same idempotency record. What took effect then did not again."""

    result: Result


class IdempotencyKeyReused(Unprocessable):
    code = "idempotency-key-reused"
    default_detail = (
        "This Idempotency-Key came before with another content: send that again as it was, or use a fresh key."
        " Nothing was done."
    )


class IdempotencyKeyInUse(Conflict):
    code = "idempotency-key-in-use"
    default_detail = "The first request with this Idempotency-Key is still running; repeat it later."
