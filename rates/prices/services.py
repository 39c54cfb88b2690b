"""Writes of prices. Rollups and the data version follow by triggers, in the same transaction."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Any

from django.db import connection, transaction

from common.stores.sqlfiles import load_sql
from rates.errors import PortNotFound
from rates.locks import share_tree
from rates.metrics import ADDED, DELETED
from rates.models import Port
from rates.types import PriceRange, PricesAdded

_SQL = load_sql(Path(__file__).parents[1] / "sql" / "prices.sql")
_COLUMNS = (
    *("origins", "destinations", "first_days", "last_days", "prices"),
    *("amounts", "currencies", "rates", "rate_days", "providers", "batches", "rows"),
)
_NOTHING = (None,) * 5  # provenance of a price in USD


def add_prices(ranges: list[PriceRange]) -> list[PricesAdded | PortNotFound]:
    """Add one price for each day of each range; equal ones count each.

    One call per transaction: rollups are locked in the order of their keys, but only within a call.

    Args:    ranges: N, valid as PriceRange says.
    Returns: N outcomes in the order of ``ranges``; PortNotFound: nothing of that range was added.
    Raises:  DatabaseError: nothing was added, or all of it when the connection broke in the commit.
    Source:  docs/rates.md.
    """
    with transaction.atomic():
        share_tree()  # also keeps the ports
        there = _ports_among({port for wanted in ranges for port in (wanted.origin_id, wanted.destination_id)})
        outcomes = [_outcome(wanted, there) for wanted in ranges]
        adding = [wanted for wanted, outcome in zip(ranges, outcomes, strict=True) if isinstance(outcome, PricesAdded)]
        if adding:
            _insert(adding)
            days = sum(outcome.observations for outcome in outcomes if isinstance(outcome, PricesAdded))
            transaction.on_commit(partial(ADDED.inc, days))
    return outcomes


def _ports_among(ids: Collection[int]) -> set[int]:
    return set(Port.objects.filter(pk__in=ids).values_list("pk", flat=True))


def _outcome(wanted: PriceRange, there: Collection[int]) -> PricesAdded | PortNotFound:
    if wanted.origin_id not in there or wanted.destination_id not in there:
        return PortNotFound()
    return PricesAdded((wanted.date_to - wanted.date_from).days + 1)


def _insert(ranges: Sequence[PriceRange]) -> None:
    rows: list[tuple[Any, ...]] = [
        (*wanted[:5], *(wanted.provenance or _NOTHING), wanted.batch_id, wanted.batch_row) for wanted in ranges
    ]
    arrays = map(_array, zip(*rows, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_SQL["add"], dict(zip(_COLUMNS, arrays, strict=True)))


def _array(column: Sequence[Any]) -> list[Any] | str | None:
    """As a parameter; None where nothing is in it. Numbers and days are written here, four times as fast or more."""
    kinds = set(map(type, column))
    if kinds == {NoneType}:
        return None
    if str in kinds:
        return list(column)
    return f"{{{','.join(['NULL' if value is None else str(value) for value in column])}}}"


def delete_prices(ids: list[int]) -> list[bool]:
    """Delete observations; one call per transaction, as for add_prices.

    Args:    ids: N; may repeat.
    Returns: N outcomes in the order of ``ids``; False: there was none, or it came earlier in the list.
    Raises:  DatabaseError: nothing was deleted, or all when the connection broke in the commit.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM rates_price WHERE id = ANY (%s) RETURNING id", [sorted(set(ids))])
        deleted = {number for (number,) in cursor.fetchall()}
        transaction.on_commit(partial(DELETED.inc, len(deleted)))
    first = {number: index for index, number in reversed(list(enumerate(ids)))}
    return [number in deleted and first[number] == index for index, number in enumerate(ids)]
