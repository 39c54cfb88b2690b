"""What must be true of the stores before this deployment may promise anything.

Under the ``database`` tag, so they run in ``migrate`` and ``check --database default``, not in every command. A store
that does not answer is readiness's business, not a wrong setting: it is a warning here.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from redis.exceptions import RedisError

from common import valkey
from gateway.hot import hot_endpoints
from gateway.ratelimits.policies import limited_routes

TRUTH_POLICY = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
WATCHING_THREADS = 8  # health checks, metrics and API keys of one web worker
OTHER_WORKERS = 5  # two of each of the queues batches and events, and the consumer's stand-in
SPARE_CONNECTIONS = 15  # beat, commands, psql, reserved for superusers


@register(Tags.database)
def check_truth_store(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Anything else than TRUTH_POLICY lost acknowledged increments, or refused them under memory pressure."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    try:
        found = valkey.truth().config_get(*TRUTH_POLICY)
    except RedisError as exc:
        return [Warning(f"The truth Valkey does not answer: {exc}", id="floodgate.W001")]
    wrong = {name: found.get(name) for name, value in TRUTH_POLICY.items() if found.get(name) != value}
    return [
        Error(
            f"The truth Valkey (VALKEY_URL) has {name} {value!r}; it must be {TRUTH_POLICY[name]!r}.",
            hint=f"Start it with --{name} {TRUTH_POLICY[name]}, and keep caches in VALKEY_CACHE_URL.",
            id="floodgate.E001",
        )
        for name, value in wrong.items()
    ]


@register(Tags.database)
def check_rate_limits(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Among these checks so that ``migrate`` refuses, before a server would start again and again."""
    try:
        limited_routes(hot_endpoints())
    except ImproperlyConfigured as exc:
        return [Error(str(exc), id="floodgate.E003")]
    return []


@register(Tags.database)
def check_max_connections(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Every thread that may hold a connection must get one."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    try:
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute("SHOW max_connections")
            allowed = int(cursor.fetchone()[0])
    except OperationalError as exc:
        return [Warning(f"PostgreSQL does not answer: {exc}", id="floodgate.W002")]
    needed = connections_needed()
    if allowed >= needed:
        return []
    hint = "Raise max_connections, or lower WEB_WORKERS, WSGI_THREADS, DB_LANES, IMPORT_WORKERS or FLUSH_WORKERS."
    return [Error(f"PostgreSQL allows {allowed} connections; up to {needed} are used.", hint=hint, id="floodgate.E002")]


def connections_needed() -> int:
    """Most connections that all processes together open to the write store's server."""
    aliases = 1 if settings.READ_STORE_IS_SEPARATE else 2  # a thread may hold one for each
    web = settings.WEB_WORKERS * ((settings.DB_LANES + settings.WSGI_THREADS) * aliases + WATCHING_THREADS)
    workers = settings.IMPORT_WORKERS * aliases + settings.FLUSH_WORKERS + OTHER_WORKERS
    return int(web + workers + SPARE_CONNECTIONS)
