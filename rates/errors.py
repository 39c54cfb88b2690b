"""What a request about rates may meet.

FloodgateError
├── NotFound
│   ├── PlaceNotFound       no port has the code, or no region the slug; names the fields
│   └── PortNotFound        a port that was there is gone
├── TooManyPrices           statistics would read too many raw prices
├── QueryTooLarge           too many pairs of regions on too many days
├── RegionCycle             a region would be under itself
└── ImportedAlready         the same file came before
"""

from typing import Any

from common.errors import FieldError, FloodgateError
from gateway.errors import NotFound


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


class TooManyPrices(FloodgateError):
    code = "too-many-prices"

    def __init__(self, prices: int, prices_max: int) -> None:
        super().__init__(
            f"These statistics would read {prices:,} prices, and at most {prices_max:,} can be; "
            "ask for fewer days or smaller regions, or without `stats`."
        )

    def members(self) -> dict[str, Any]:
        return {"errors": [{"field": "stats", "detail": self.detail}]}


class QueryTooLarge(FloodgateError):
    code = "query-too-large"

    def __init__(self, pairs: int, days: int) -> None:
        super().__init__(f"{pairs:,} pairs of regions on {days:,} days are too many; ask for fewer days.")

    def members(self) -> dict[str, Any]:
        return {"errors": [{"field": "date_to", "detail": self.detail}]}


class RegionCycle(FloodgateError):
    code = "region-cycle"
    default_detail = "A region cannot be under itself; nothing was changed."


class ImportedAlready(FloodgateError):
    code = "imported-already"
    default_detail = "A file with the same content was imported already; nothing was added."
