"""Valkey clients. Two servers with two jobs: see "Stores" in CONTEXT.md.

Effectful calls must not be repeated by the client: redis-py repeats writes by default and applied one twice when the
server paused. Hence one attempt and short timeouts everywhere.
"""

from functools import cache

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_SECONDS = 0.5
PATIENT_TIMEOUT_SECONDS = 1.0
CACHE_TIMEOUT_SECONDS = 0.25  # whoever asks goes without it, and has other things to wait for
LIMIT_TIMEOUT_SECONDS = 0.1  # in front of everything: a store that hangs costs each process this once
CONNECT_TIMEOUT_SECONDS = 0.5


def _client(url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Redis:
    return Redis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


@cache
def truth() -> Redis:
    """The store that is truth until PostgreSQL has it."""
    return _client(settings.VALKEY_URL)


@cache
def patient_truth() -> Redis:
    """The same for calls that hold the store up themselves: they get most of what a request has."""
    return _client(settings.VALKEY_URL, PATIENT_TIMEOUT_SECONDS)


@cache
def cache_store() -> Redis:
    """The evictable store: losing it costs speed, never an answer."""
    return _client(settings.VALKEY_CACHE_URL, CACHE_TIMEOUT_SECONDS)


@cache
def limit_store() -> Redis:
    """The same for rate limits."""
    return _client(settings.VALKEY_CACHE_URL, LIMIT_TIMEOUT_SECONDS)


def key(*parts: object) -> str:
    """Name of a key: the parts joined by colons, behind the prefix that keeps test processes apart."""
    return settings.VALKEY_KEY_PREFIX + ":".join(map(str, parts))
