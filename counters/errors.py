"""What an increment may meet.

NotFound
└── CounterNotFound     nobody ever incremented this key
TooLarge
└── TooManyIncrements   more in one request than may be counted at once
Unavailable
├── BacklogFull         too many keys wait for the database
├── TooManyMarks        too many Idempotency-Keys were used within the hour
├── CounterFull         this key's pending delta has no room for so large a value
└── CountersAreStale    flushes are behind
"""

from uuid import UUID

from common.errors import NotFound, TooLarge, Unavailable
from counters.types import SUBMISSION_INCREMENTS


class TooManyIncrements(TooLarge):
    code = "too-many-increments"
    default_detail = f"More than {SUBMISSION_INCREMENTS:,} increments in one request; nothing was counted."


class CounterNotFound(NotFound):
    def __init__(self, key: UUID) -> None:
        super().__init__(f"Nobody has incremented {key}.")


class BacklogFull(Unavailable):
    code = "backlog-full"
    default_detail = "Too many counters wait for the database, which does not answer; nothing was counted."
    retry_after_seconds = 5


class TooManyMarks(Unavailable):
    code = "too-many-marks"
    default_detail = "Too many Idempotency-Keys are remembered; nothing was counted. Without a key it would be."
    retry_after_seconds = 60


class CounterFull(Unavailable):
    code = "counter-full"
    default_detail = "This counter's pending sum has no room for the value until its next flush; it was not counted."
    retry_after_seconds = 2


class CountersAreStale(Unavailable):
    code = "counters-stale"
    default_detail = "Flushes are behind: the database lacks increments of more than ten seconds ago."
