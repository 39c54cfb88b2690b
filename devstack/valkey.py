"""Embedded Valkeys on unix sockets: ``truth`` never evicts and fsyncs writes, ``cache`` evicts and keeps nothing."""

import os
import socket
from functools import partial
from pathlib import Path

from config.env import embedded_urls, socket_dir
from devstack.folders import own_folder
from devstack.pgcommand import postgres_owner
from devstack.process import Part
from devstack.wheels import valkey_server

_TRUTH = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
_CACHE = {"appendonly": "no", "maxmemory": "256mb", "maxmemory-policy": "allkeys-lru"}


def valkey_parts(data_dir: Path) -> list[Part]:
    """The truth store and the cache."""
    urls = embedded_urls(data_dir)
    return [
        _part(data_dir, "truth", urls["VALKEY_URL"], _TRUTH),
        _part(data_dir, "cache", urls["VALKEY_CACHE_URL"], _CACHE),
    ]


def answers(path: str) -> bool:
    """Whether the Valkey at the socket ``path`` has loaded its data and answers; asked without a library to keep."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(path)
            connection.sendall(b"PING\r\n")
            return connection.recv(64) == b"+PONG\r\n"
        except OSError:
            return False


def _part(data_dir: Path, name: str, url: str, settings: dict[str, str]) -> Part:
    path = url.removeprefix("unix://")
    common = {"port": "0", "unixsocket": path, "unixsocketperm": "700", "save": ""}
    common |= {"dir": str(data_dir / name), "daemonize": "no"}
    options = [argument for key, value in (common | settings).items() for argument in (f"--{key}", value)]
    return Part(
        name=name,
        command=[str(valkey_server()), *options],
        prepare=partial(_prepare, data_dir, name),
        is_ready=partial(answers, path),
    )


def _prepare(data_dir: Path, name: str) -> None:
    own_folder(socket_dir(data_dir), postgres_owner())  # PostgreSQL may be elsewhere, or be embedded again later
    own_folder(data_dir / name, os.geteuid())
