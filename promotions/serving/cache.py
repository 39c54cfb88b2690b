"""Rendered promotions in the cache Valkey. The key holds the version, so a publish needs no invalidation."""

import re
from collections.abc import Sequence
from typing import cast
from uuid import UUID

from redis.exceptions import RedisError

from common.stores import valkey
from common.stores.guarded import CACHE
from promotions.serving.pointer import parse_pointer, pointer_key
from promotions.types import LiveVersion

FOUND_TTL_SECONDS = 3600
MISSING_TTL_SECONDS = 10
MISSING = b""
# As ``selectors.promotion_body`` writes them, or MISSING.
_ENTRY = re.compile(rb'(?:\{"id": "[0-9a-f-]{36}", "price": [0-9.]+, "expiration_date": "[0-9T:.-]+Z"\})?')


def read_cache(version: int, ids: Sequence[UUID]) -> tuple[LiveVersion, list[bytes | None]] | None:
    """The cached pointer and, in the order of ``ids``, what is cached of ``version``; one round trip.

    An entry is the promotion's JSON, MISSING for an id that the version does not have, or None when nothing is cached,
    or nothing that is an entry. Returns None when the cache does not answer: readers then go without it.
    """
    if CACHE.is_open:
        return None
    try:
        keys = [pointer_key(), *(_entry_key(version, row_id) for row_id in ids)]
        pointer, *entries = cast(list[bytes | None], valkey.cache_store().mget(keys))
    except RedisError:
        CACHE.open()
        return None
    return parse_pointer(pointer), [
        entry if entry is not None and _ENTRY.fullmatch(entry) else None for entry in entries
    ]


def write_cache(version: int, bodies: dict[UUID, bytes]) -> None:
    """Keep what was read; losing it costs speed only."""
    if CACHE.is_open:
        return
    pipeline = valkey.cache_store().pipeline(transaction=False)
    for row_id, body in bodies.items():
        pipeline.set(_entry_key(version, row_id), body, ex=FOUND_TTL_SECONDS if body else MISSING_TTL_SECONDS)
    try:
        pipeline.execute()
    except RedisError:
        CACHE.open()


def _entry_key(version: int, row_id: UUID) -> str:
    return valkey.key("promotion", version, row_id.hex)
