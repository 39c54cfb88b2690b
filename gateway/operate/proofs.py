"""Proofs that the stores take writes. One that only answers may be a standby, full, or unable to keep what it takes."""

from typing import Any, cast

from django.db import connection
from django.utils import timezone
from redis import Redis

from common.stores import valkey
from gateway.errors import TruthIsUnsafe

TRUTH_POLICY = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
CACHE_PROOF_SECONDS = 60
_WRITE = """
    INSERT INTO gateway_writeproof (id, written_at) VALUES (1, %s)
    ON CONFLICT (id) DO UPDATE SET written_at = EXCLUDED.written_at
"""


def write_to_database() -> None:
    """In one statement, without a transaction: a process that hangs holds up no other. Raises DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [timezone.now()])


def write_to_truth() -> None:
    """Raises RedisError: no answer, or it is a replica, out of memory or cannot write its log; TruthIsUnsafe."""
    _write(valkey.truth())
    if wrong := wrong_truth_policy():
        said = ", ".join(f"{name} {value!r} instead of {TRUTH_POLICY[name]!r}" for name, value in wrong.items())
        raise TruthIsUnsafe(f"The truth Valkey has {said}: what it takes may be lost.")


def write_to_cache() -> None:
    """Raises RedisError."""
    _write(valkey.cache_store(), seconds=CACHE_PROOF_SECONDS)


def wrong_truth_policy() -> dict[str, Any]:
    """What differs from TRUTH_POLICY, by name. Anything else lost acknowledged increments, or refused them under
    memory pressure. Raises RedisError.
    """
    found = cast(dict[str, Any], valkey.truth().config_get(*TRUTH_POLICY))
    return {name: found.get(name) for name, value in TRUTH_POLICY.items() if found.get(name) != value}


def _write(store: Redis, seconds: int | None = None) -> None:
    store.set(valkey.key("write-proof"), str(timezone.now()), ex=seconds)
