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


class RegionTerms(NamedTuple):
    """What a region is to be. Attributes: parent_slug: None for a root."""

    slug: str
    name: str
    parent_slug: str | None


class PortTerms(NamedTuple):
    """What a port is to be. Attributes: parent_slug: the region that it belongs to."""

    code: str
    name: str
    parent_slug: str


class Upload(NamedTuple):
    """One price on each day of a range, as it came.

    Attributes: price: in ``currency``; batch_id, batch_row: of the batch that it came in, if any.
    """

    date_from: date
    date_to: date
    origin_code: str
    destination_code: str
    price: Decimal
    currency: str = "USD"
    batch_id: int | None = None
    batch_row: int | None = None


class Uploaded(NamedTuple):
    """Attributes: ranges: what was added, in order of days; more than one where the exchange rate changed."""

    ranges: list[PriceRange]


JSON, CSV = "json", "csv"
STATS = ("count", "min", "max", "median", "p25", "p75")


class RatesQuery(NamedTuple):
    """A question for averages.

    Attributes:
        date_from, date_to: both included.
        origin, destination: a port's code or a region's slug; the code wins where both exist.
        min_prices: a day with fewer observations has no average.
        stats: some of STATS.
        fallback: answer thin days from the regions above.
        form: JSON or CSV.
        etags: what the client has already; "*" for anything.
    """

    date_from: date
    date_to: date
    origin: str
    destination: str
    min_prices: int = 3
    stats: tuple[str, ...] = ()
    fallback: bool = False
    form: str = JSON
    etags: tuple[str, ...] = ()


class Place(NamedTuple):
    """A port, or a region with all regions under it.

    Attributes: name: code or slug; region_id: where a port belongs, a region's own id; regions: 1 for a port.
    """

    name: str
    is_port: bool
    id: int
    region_id: int
    regions: int = 1


class Lane(NamedTuple):
    """What an average is of."""

    origin: Place
    destination: Place


class DayRate(NamedTuple):
    """One day of an answer.

    Attributes:
        average: in USD, rounded half-up; None where there are too few prices.
        stats: as they were asked for; on such a day only the count is not None.
        actual: what the average is of; None where there is none.
    """

    day: date
    average: int | None = None
    stats: tuple[Decimal | int | None, ...] = ()
    actual: Lane | None = None


class RatesAnswer(NamedTuple):
    """Attributes: version: of the data, of which the answer shows one state; days: all of the range, in order.

    ``days`` is None where the client has this answer already.
    """

    version: int
    days: list[DayRate] | None
