"""What refuses a request about a batch. A bad row is no exception but a rejected row of its batch.

NotFound
└── BatchNotFound
Conflict
└── BatchEnded            too late to cancel
Gone
└── BatchErrorsGone       its rejected rows are not kept any more
TooLarge
└── BatchTooLarge         more rows or prices than one batch may have
Unprocessable
└── DeadlineUnreachable   the batches in front and this one take longer
"""

from datetime import datetime
from typing import Any

from common.errors import Conflict, Gone, NotFound, TooLarge, Unprocessable


class BatchTooLarge(TooLarge):
    code = "batch-too-large"
    default_detail = "The batch is too large; send it in parts. Nothing was kept."


class DeadlineUnreachable(Unprocessable):
    """Attributes: expected_at: when the batch would be done."""

    code = "deadline-unreachable"
    default_detail = (
        "The batch would not be done by `deadline`. Nothing was kept; send it with a later one or with none."
    )

    def __init__(self, expected_at: datetime) -> None:
        super().__init__()
        self.expected_at = expected_at

    def members(self) -> dict[str, Any]:
        return {"expected_at": self.expected_at}


class BatchNotFound(NotFound):
    code = "batch-not-found"

    def __init__(self, batch_id: int) -> None:
        super().__init__(f"There is no batch {batch_id}.")


class BatchEnded(Conflict):
    code = "batch-ended"

    def __init__(self, batch_id: int, status: str) -> None:
        super().__init__(f"Batch {batch_id} is {status} and cannot be cancelled any more.")


class BatchErrorsGone(Gone):
    code = "batch-errors-gone"

    def __init__(self, batch_id: int, days: int) -> None:
        super().__init__(
            f"Rejected rows of batch {batch_id} were kept for {days} days after its end (BATCH_KEEP_DAYS)."
        )
