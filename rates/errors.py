"""What a request about rates may meet.

NotFound
├── PlaceNotFound     no port has the code, or no region the slug; names the fields
├── PortNotFound      a port that was there is gone
└── ParentNotFound    a region is to be under one that does not exist
Conflict
├── ComesTwice        in one list; only the first may count
├── RegionCycle       a region would be under itself
├── ImportedAlready   the same file came before
└── ImportRunning     in another process
Unprocessable
├── TooManyPrices     statistics would read too many raw prices
└── QueryTooLarge     too many pairs of regions on too many days
"""

from datetime import datetime
from typing import Any

from common.errors import Conflict, FieldError, NotFound, Unprocessable


class PlaceNotFound(NotFound):
    code = "place-not-found"
    default_detail = "There is no such port or region; see `errors`."

    def __init__(self, *errors: FieldError) -> None:
        super().__init__()
        self.errors = errors

    def members(self) -> dict[str, Any]:
        return {"errors": [{"field": error.field, "detail": error.detail} for error in self.errors]}


class PortNotFound(NotFound):
    code = "port-not-found"
    default_detail = "There is no such port."


class ParentNotFound(NotFound):
    code = "parent-not-found"

    def __init__(self, slug: str) -> None:
        super().__init__(f"parent_slug: There is no region {slug}.")


class ComesTwice(Conflict):
    code = "comes-twice"

    def __init__(self, field: str, value: str) -> None:
        super().__init__(f"{field}: {value} came before, and may come once only.")


class TooManyPrices(Unprocessable):
    code = "too-many-prices"

    def __init__(self, prices: int, prices_max: int) -> None:
        super().__init__(
            f"These statistics would read {prices:,} prices, and at most {prices_max:,} can be; "
            "ask for fewer days or smaller regions, or without `stats`."
        )

    def members(self) -> dict[str, Any]:
        return {"errors": [{"field": "stats", "detail": self.detail}]}


class QueryTooLarge(Unprocessable):
    code = "query-too-large"

    def __init__(self, pairs: int, days: int) -> None:
        super().__init__(f"{pairs:,} pairs of regions on {days:,} days are too many; ask for fewer days.")

    def members(self) -> dict[str, Any]:
        return {"errors": [{"field": "date_to", "detail": self.detail}]}


class RegionCycle(Conflict):
    code = "region-cycle"
    default_detail = "A region cannot be under itself."


class ImportedAlready(Conflict):
    code = "imported-already"

    def __init__(self, path: str, finished_at: datetime | None) -> None:
        super().__init__(f"The same prices were imported from {path} at {finished_at:%Y-%m-%d %H:%M} UTC.")


class ImportRunning(Conflict):
    code = "import-running"
    default_detail = "Another process imports this file."
