"""What must be true of the stores, and of addresses, before this deployment may promise anything.

Those of stores are under the ``database`` tag, so they run in ``migrate`` and ``check --database default``, not in
every command. A store that does not answer is readiness's business, not a wrong setting: it is a warning here.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from redis.exceptions import RedisError

from gateway.batching.batcher import ANSWER_SECONDS
from gateway.batching.bulkheads import threads_by_store
from gateway.endpoints.addresses import undeclared
from gateway.endpoints.hot import hot_endpoints
from gateway.operate.proofs import TRUTH_POLICY, wrong_truth_policy
from gateway.ratelimits.policies import limited_routes
from gateway.server.bridge import split_threads

WATCHING_THREADS = 8  # health checks, metrics, API keys and hanging stores, of one web worker
OTHER_WORKERS = 5  # two of each of the queues batches and events, and the consumer's stand-in
SPARE_CONNECTIONS = 15  # beat, commands, psql, reserved for superusers
LEAST_WAIT_SECONDS = 0.3  # of a request for its batch, while another one runs


@register(Tags.database)
def check_truth_store(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    try:
        wrong = wrong_truth_policy()
    except RedisError as exc:
        return [Warning(f"The truth Valkey does not answer: {exc}", id="floodgate.W001")]
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
    lower = "WEB_REPLICAS, WEB_WORKERS, WSGI_THREADS, IMPORT_WORKERS or FLUSH_WORKERS"
    hint = f"Raise max_connections (POSTGRES_MAX_CONNECTIONS in .env), or lower {lower}."
    return [Error(f"PostgreSQL allows {allowed} connections; up to {needed} are used.", hint=hint, id="floodgate.E002")]


def connections_needed() -> int:
    """Most connections that all processes together open to the write store's server."""
    aliases = ["default"] if settings.READ_STORE_IS_SEPARATE else ["default", "read"]
    batches = sum(threads for store, threads in threads_by_store(hot_endpoints()).items() if store.database in aliases)
    web_worker = batches + sum(split_threads(settings.WSGI_THREADS)) * len(aliases) + WATCHING_THREADS
    web = settings.WEB_SERVERS * settings.WEB_WORKERS * web_worker
    workers = settings.IMPORT_WORKERS * len(aliases) + settings.FLUSH_WORKERS + OTHER_WORKERS
    return int(web + workers + SPARE_CONNECTIONS)


@register(Tags.database)
def check_time_of_batches(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Waiting for a batch and the batch itself share the deadline, or overload would look like a store that hangs."""
    most_seconds = settings.REQUEST_DEADLINE_SECONDS - ANSWER_SECONDS - LEAST_WAIT_SECONDS
    return [
        Error(
            f"A batch of {endpoint.name} may take {endpoint.batch_seconds:g} s; its deadline leaves {most_seconds:g}.",
            hint="Lower its batch_seconds, with the time limits of what it calls, or raise REQUEST_DEADLINE_SECONDS.",
            id="floodgate.E004",
        )
        for endpoint in hot_endpoints()
        if endpoint.batch_seconds > most_seconds
    ]


@register(Tags.security)
def check_scopes(**kwargs: Any) -> list[CheckMessage]:
    """Every address says what an API key must have for it, or is public."""
    return [
        Error(
            f"{where} names no scope, so any API key may ask for it.",
            hint="Name it in `scopes` of its StrictView, or make the address public in gateway/endpoints/addresses.py.",
            id="floodgate.E005",
        )
        for where in undeclared()
    ]


@register(Tags.security, deploy=True)
def check_keys_are_required(**kwargs: Any) -> list[CheckMessage]:
    if settings.API_KEYS_REQUIRED:
        return []
    return [Error("API_KEYS is 'optional': whoever reaches this port may do all.", id="floodgate.E006")]
