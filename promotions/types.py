"""What crosses this app's edge."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Promotion:
    """One served row.

    Attributes: price: 0 to 999,999,999,999.999999, as in the source. expiration_date: UTC, to the microsecond.
    """

    id: UUID
    price: Decimal
    expiration_date: datetime


class LiveVersion(NamedTuple):
    """Which version is served.

    Attributes: epoch: grows with every publish and rollback. version: 0 before the first publish.
                table_count: how many tables hold the version, by id prefix.
    """

    epoch: int
    version: int
    table_count: int


@dataclass(frozen=True, slots=True)
class Found:
    """Answer to one look-up.

    Attributes: version: the data version that answered. body: the promotion as JSON, or None where it has no such id.
    """

    version: int
    body: bytes | None


@dataclass(frozen=True, slots=True)
class FoundList:
    """Answer to a list of look-ups.

    Attributes: version: the data version that answered all. bodies: the promotions as JSON, in the order asked, without
                those in ``missing``, which it does not have.
    """

    version: int
    bodies: tuple[bytes, ...]
    missing: tuple[UUID, ...]


@dataclass(frozen=True)
class ImportProgress:
    """Where an import stands; ``eta_seconds`` and ``rows_per_second`` are None while there is nothing to tell from."""

    id: int
    status: str
    source: str
    sha256: str | None
    bytes_total: int
    bytes_done: int
    rows_loaded: int
    rows_rejected: int
    rows_duplicate: int
    rows_blank: int
    rows_per_second: int | None
    eta_seconds: int | None
    reject_reasons: dict[str, int]
    version: int | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None


class ImportTotals(NamedTuple):
    """Rows of an import's loaded chunks; ``loaded`` still counts the ones that ``duplicate`` later rows replaced."""

    lines: int
    loaded: int
    rejected: int
    blank: int
    duplicate: int
