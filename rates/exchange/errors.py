"""What may come instead of a rate.

NotFound
└── OutlierNotFound
Conflict
└── RateImpossible     no person can make it a rate
Unprocessable
└── NoExchangeRate     of a currency that is one; names the field
Unavailable
└── RatesUnavailable   a provider did not say its rates of a day
"""

from datetime import date
from typing import Any

from common.errors import Conflict, NotFound, Unavailable, Unprocessable


class NoExchangeRate(Unprocessable):
    """Attributes: field: the request's field that is at fault, in ``errors`` of the answer."""

    code = "no-exchange-rate"
    default_detail = "There is no exchange rate for this currency and day."
    field = "currency"

    def __init__(self, currency: str, day: date, last_on: date | None) -> None:
        before = f"the last one is of {last_on}, {(day - last_on).days} days before" if last_on else "nor an older one"
        super().__init__(
            f"There is no exchange rate for {currency} that holds on {day}; {before}. A price in USD needs none."
        )

    def members(self) -> dict[str, Any]:
        return {"errors": [{"field": self.field, "detail": self.detail}]}


class RatesUnavailable(Unavailable):
    """Attributes: will_pass: asking again at once may help."""

    code = "rates-unavailable"
    default_detail = "The provider of exchange rates did not answer."

    def __init__(self, detail: str, *, will_pass: bool = False) -> None:
        super().__init__(detail)
        self.will_pass = will_pass


class RateImpossible(Conflict):
    code = "rate-impossible"
    default_detail = "This can be no exchange rate."


class OutlierNotFound(NotFound):
    code = "doubt-not-found"
    default_detail = "Nobody outliers this rate any more."
