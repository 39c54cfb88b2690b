"""Reads of promotions: cache first, then the read store, all of one list from one version."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from itertools import chain, islice
from typing import TypeVar
from uuid import UUID

from django.db import connections
from django.db.utils import ProgrammingError

from common.errors import FloodgateError, StoreUnavailable
from common.stores.guarded import DATABASE_AWAY, READ_STORE
from promotions.serving.cache import MISSING, read_cache, write_cache
from promotions.serving.pointer import POINTER
from promotions.serving.routers import READ_STORE as READ_ALIAS
from promotions.tables import table_index, table_name
from promotions.types import Found, FoundList, LiveVersion, Promotion

_CENT = Decimal("0.01")
Missed = TypeVar("Missed", FloodgateError, None)


def find_promotions(ids: list[UUID]) -> list[Found | FloodgateError]:
    """Look up promotions of the live version.

    Args:    ids: N ids, any order, repeats allowed.
    Returns: N answers in the order of ``ids``; all carry the same version. While the read store is down, ids that are
             not cached get StoreUnavailable as a value.
    Source:  docs/promotions.md.
    """
    live, bodies = _cached(ids) or (_stored_pointer(), dict[UUID, bytes | None].fromkeys(ids))
    missing = [row_id for row_id, body in bodies.items() if body is None]
    if missing and not READ_STORE.is_open:
        try:
            read = _select(live, missing)
        except ProgrammingError:  # the version's tables were dropped under a reader that slept
            if POINTER.return_to_store() == live:
                raise
            return find_promotions(ids)
        except DATABASE_AWAY:  # the others of this batch may be cached
            READ_STORE.open()
            read = {}
        write_cache(live.version, read)
        bodies.update(read)
    return [_found(live.version, bodies[row_id]) for row_id in ids]


def recall_promotions(ids: list[UUID]) -> list[Found | None]:
    """What the cache knows of promotions of the live version; None for what only the read store knows.

    Answers as ``find_promotions`` does, without a call to the read store.
    """
    cached = _cached(ids)
    if cached is None:
        return [None] * len(ids)
    live, bodies = cached
    return [None if (body := bodies[row_id]) is None else Found(live.version, body or None) for row_id in ids]


def find_promotion_lists(lists: list[tuple[UUID, ...]]) -> list[FoundList | FloodgateError]:
    """Look up N lists of ids, all of the live version; an answer for each, as ``find_promotions`` gives it for each id.

    While the read store is down, a list with an id that is not cached gets StoreUnavailable as a value.
    """
    return _together(lists, find_promotions(list(chain.from_iterable(lists))))


def recall_promotion_lists(lists: list[tuple[UUID, ...]]) -> list[FoundList | None]:
    """The same of what the cache knows; None for a list with an id that only the read store knows."""
    return _together(lists, recall_promotions(list(chain.from_iterable(lists))))


def _together(lists: list[tuple[UUID, ...]], answers: Sequence[Found | Missed]) -> list[FoundList | Missed]:
    """Answers to the lists from answers to all of their ids."""
    each = iter(answers)
    return [_list_of(ids, list(islice(each, len(ids)))) for ids in lists]


def _list_of(ids: tuple[UUID, ...], answers: list[Found | Missed]) -> FoundList | Missed:
    """What has no answer makes that of its list."""
    found: list[Found] = []
    for answer in answers:
        if not isinstance(answer, Found):
            return answer
        found.append(answer)
    bodies = tuple(answer.body for answer in found if answer.body is not None)
    missing = tuple(row_id for row_id, answer in zip(ids, found, strict=True) if answer.body is None)
    return FoundList(found[0].version, bodies, missing)


def promotion_body(promotion: Promotion) -> bytes:
    """JSON as served: price rounded half-up to 2 places, the instant in UTC."""
    price = promotion.price.quantize(_CENT, ROUND_HALF_UP)
    instant = promotion.expiration_date.replace(tzinfo=None).isoformat()
    return f'{{"id": "{promotion.id}", "price": {price}, "expiration_date": "{instant}Z"}}'.encode()


def _found(version: int, body: bytes | None) -> Found | FloodgateError:
    return StoreUnavailable() if body is None else Found(version, body or None)


def _cached(ids: Sequence[UUID]) -> tuple[LiveVersion, dict[UUID, bytes | None]] | None:
    """The version for this batch, and what the cache has of it; None when only the read store knows the version."""
    distinct = list(dict.fromkeys(ids))
    known = POINTER.live
    answer = read_cache(known.version, distinct)
    if answer is None:
        return None
    POINTER.revalidate_if_due()
    seen, entries = answer
    if not seen.epoch:
        return None
    live = POINTER.adopt(seen)
    if live.version == known.version:
        return live, dict(zip(distinct, entries, strict=True))
    again = read_cache(live.version, distinct)
    return live, dict(zip(distinct, again[1], strict=True)) if again else dict.fromkeys(distinct)


def _stored_pointer() -> LiveVersion:
    """Asked without a deadline of its own, so never of a store that is known to hang."""
    if READ_STORE.is_open:
        raise StoreUnavailable
    return POINTER.refresh_from_store()


def _select(live: LiveVersion, ids: list[UUID]) -> dict[UUID, bytes]:
    """JSON per id; MISSING where the version has none."""
    found = dict.fromkeys(ids, MISSING)
    if not live.version:
        return found
    by_table: dict[int, list[UUID]] = {}
    for row_id in ids:
        by_table.setdefault(table_index(row_id, live.table_count), []).append(row_id)
    with connections[READ_ALIAS].cursor() as cursor:
        for index, table_ids in by_table.items():
            name = table_name(live.version, index, live.table_count)
            cursor.execute(f"SELECT id, price, expiration_date FROM {name} WHERE id = ANY(%s)", [table_ids])  # noqa: S608
            found.update((row[0], promotion_body(Promotion(*row))) for row in cursor.fetchall())
    return found
