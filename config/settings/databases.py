"""PostgreSQL: ``default`` is the write store, ``read`` that of readers; one server unless READ_DATABASE_URL is set."""

from typing import Any

import environ

from config import env

# Every statement has an end: what needs longer (index builds, COPY) says so with SET LOCAL.
# The connection check ends the statement of a client that died, which would hold its locks to the end otherwise.
_SERVER_OPTIONS = (
    "-c statement_timeout=10s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s"
    " -c client_connection_check_interval=1s"
)
# A server that vanishes without a word is noticed within some ten seconds.
_KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}


# What a URL may say in its query and Django has a place for, where ``dbshell`` looks too.
_PLACES = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}


def _database(url: str) -> dict[str, Any]:
    database: dict[str, Any] = dict(environ.Env.db_url_config(url)) | {"ENGINE": "common.stores.postgresql"}
    options = database.setdefault("OPTIONS", {})
    database |= {place: options.pop(name) for name, place in _PLACES.items() if name in options}
    database["CONN_MAX_AGE"] = 60
    database["CONN_HEALTH_CHECKS"] = True
    options.update(connect_timeout=2, options=_SERVER_OPTIONS, **_KEEPALIVE)
    return database


DATABASES = {
    "default": _database(env.DATABASE_URL),
    "read": _database(env.READ_DATABASE_URL or env.DATABASE_URL),
}
if not env.READ_DATABASE_URL:
    DATABASES["read"]["TEST"] = {"MIRROR": "default"}
DATABASE_ROUTERS = ["promotions.serving.routers.ReadStoreRouter"]
