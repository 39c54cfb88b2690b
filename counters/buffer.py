"""Pending deltas in the truth Valkey: everything that touches their keys.

A key belongs to a shard. A shard has a list of segments (key and column ``generation``), and each segment is a hash of
key to delta under a name that no other ever has: writers add to the newest, a flush closes it, takes what is closed and
drops it afterwards. The name is there from the first delta on, so nothing is ever renamed or taken away before it is in
the database, and the database can tell which segments it has. A buffer that is taken by RENAME or GETDEL loses what its
taker dies with.

Each function is one command or script call, so it happens wholly or not at all.
"""

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from redis.commands.core import Script

from common.stores import valkey
from common.stores.luafiles import load_lua
from counters.types import Backlog, PendingDelta, Submission

SHARDS = 8  # a pending key is looked for in its shard only, so this may change only while the buffer is empty
# Before a call that may add 10,000 more. 5 MB of a flush's memory, and 20 ms of the server to hand out.
SEGMENT_KEYS = 50_000
SINCE = b"since"
STEM_BYTES = 15

ADDED, REPLAYED, REUSED, FULL, NO_MARKS = b"A", b"R", b"X", b"F", b"M"


def add_submissions(submissions: Sequence[Submission]) -> list[bytes]:
    """Add all increments that find room; one round trip.

    Returns: for each submission one of ADDED, REPLAYED, REUSED, FULL and NO_MARKS, and after the first two for each
        increment ``1`` if it was added, ``2`` if an earlier submission with this key had added it, ``0`` if neither.
    Raises:  RedisError: unknown whether anything was added.
    """
    keys_limits = (settings.COUNTERS_MAX_PENDING_KEYS, SEGMENT_KEYS)
    records_limits = (settings.IDEMPOTENCY_TTL_SECONDS, settings.COUNTERS_MAX_MARKS)
    arguments: list[Any] = [_prefix(), secrets.token_hex(STEM_BYTES), SHARDS, *keys_limits, *records_limits]
    for increments, idempotency in submissions:
        keys = b"".join([key for key, _ in increments])
        values = ",".join([str(value) for _, value in increments])
        arguments += (*(idempotency or (b"", b"")), keys, values)
    return cast(list[bytes], _script("increment")(args=arguments))


def pending_deltas(keys: Iterable[bytes]) -> tuple[datetime, list[list[PendingDelta]]]:
    """The server's time, and what each key has in each segment, oldest first. Raises RedisError."""
    arguments: list[Any] = [_prefix()]
    for key in keys:
        arguments += (_shard(key), key)
    now_ms, *found = cast(list[Any], _script("read")(args=arguments))
    return _instant(now_ms), [_as_deltas(flat) for flat in found]


def closed_segments(shard: int) -> list[UUID]:
    """All but the open one, oldest first. Raises RedisError."""
    closed = cast(list[bytes], valkey.truth().lrange(_prefix() + f"generations:{shard}", 0, -2))
    return [_segment(segment) for segment in closed]


def seal_segments(shard: int) -> list[UUID]:
    """Close the shard's open segment; answers all that are closed, oldest first. Raises RedisError."""
    name = f"{secrets.token_hex(STEM_BYTES)}{shard:02x}"
    closed = cast(list[bytes], _script("seal")(args=[_prefix(), shard, name]))
    return [_segment(segment) for segment in closed]


def read_segment(segment: UUID) -> list[tuple[bytes, int]]:
    """Key and delta of a closed segment, sorted by key; empty once it was dropped. Raises RedisError."""
    found = cast(dict[bytes, bytes], valkey.truth().hgetall(_prefix() + f"pending:{segment.hex}"))
    found.pop(SINCE, None)
    return sorted((key, int(delta)) for key, delta in found.items())


def drop_segment(shard: int, segment: UUID) -> None:
    """Forget a segment that the database has. Raises RedisError."""
    _script("forget")(args=[_prefix(), shard, segment.hex])


def read_backlog() -> Backlog:
    """What waits for the database. Raises RedisError."""
    arguments: list[Any] = [_prefix(), SHARDS, settings.IDEMPOTENCY_TTL_SECONDS]
    keys, oldest_ms, now_ms, names, records = cast(list[Any], _script("backlog")(args=arguments))
    age_seconds = max(0, now_ms - oldest_ms) / 1000 if oldest_ms else 0.0
    return Backlog(keys, age_seconds, frozenset(map(_segment, names)), records)


def _shard(key: bytes) -> int:
    """As in lua/increment.lua. Of these two bytes one is random, or a clock's fastest, in every version of UUIDs."""
    return (key[3] + key[15]) % SHARDS


def _prefix() -> str:
    return valkey.key("counters", "")


@cache
def _script(name: str) -> Script:
    return valkey.truth().register_script(load_lua(Path(__file__).parent / "lua" / f"{name}.lua"))


def _as_deltas(flat: list[bytes]) -> list[PendingDelta]:
    triples = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return [PendingDelta(_segment(name), int(delta), _instant(int(since))) for name, delta, since in triples]


def _segment(name: bytes) -> UUID:
    return UUID(name.decode())


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
