"""What crosses the app's edge."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple


class Provenance(NamedTuple):
    """How a price in another currency became USD.

    Attributes: exchange_rate: USD for one unit; rate_on: the day that the provider published it for.
    """

    original_amount: Decimal
    original_currency: str
    exchange_rate: Decimal
    rate_on: date
    provider: str


class PriceRange(NamedTuple):
    """One price on each day of a range.

    Attributes:
        date_from, date_to: both included, in this order.
        price_usd: positive, at most 10 integer digits and 2 places.
        provenance: None where the price came in USD.
        batch_id, batch_row: of the batch that it came in, if any.
    """

    origin_id: int
    destination_id: int
    date_from: date
    date_to: date
    price_usd: Decimal
    provenance: Provenance | None = None
    batch_id: int | None = None
    batch_row: int | None = None


class PricesAdded(NamedTuple):
    """Attributes: observations: days of the range, one price each."""

    observations: int


class Money(NamedTuple):
    """An amount that a price came as, of the day ``on``. Attributes: currency: code after ISO 4217."""

    amount: Decimal
    currency: str
    on: date


class Converted(NamedTuple):
    """Attributes: price_usd: rounded half-up to cents; provenance: None where the amount was in USD."""

    price_usd: Decimal
    provenance: Provenance | None
