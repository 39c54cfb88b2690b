"""Embedded Valkeys on unix sockets: ``truth`` never evicts and fsyncs writes, ``cache`` evicts and keeps nothing."""

import os
from functools import partial
from pathlib import Path

import redis

from config.env import embedded_urls
from devstack.folders import own_folder
from devstack.process import Part
from devstack.wheels import valkey_server

_TRUTH = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
_CACHE = {"appendonly": "no", "maxmemory": "256mb", "maxmemory-policy": "allkeys-lru"}


def valkey_parts(data_dir: Path) -> list[Part]:
    """The truth store and the cache."""
    urls = embedded_urls(data_dir)
    return [
        _part("truth", data_dir / "truth", urls["VALKEY_URL"], _TRUTH),
        _part("cache", data_dir / "cache", urls["VALKEY_CACHE_URL"], _CACHE),
    ]


def answers(url: str) -> bool:
    """Whether the Valkey at ``url`` has loaded its data and answers."""
    client = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _part(name: str, folder: Path, url: str, settings: dict[str, str]) -> Part:
    common = {"port": "0", "unixsocket": url.removeprefix("unix://"), "unixsocketperm": "700", "save": ""}
    common |= {"dir": str(folder), "daemonize": "no"}
    options = [argument for key, value in (common | settings).items() for argument in (f"--{key}", value)]
    return Part(
        name=name,
        command=[str(valkey_server()), *options],
        prepare=partial(_prepare, folder),
        is_ready=partial(answers, url),
    )


def _prepare(folder: Path) -> None:
    own_folder(folder, os.geteuid())
