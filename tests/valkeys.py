"""A Valkey that no other test shares, for faults that would meet all of them."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from common.stores import valkey
from counters import buffer
from devstack.valkey import answers
from devstack.wheels import valkey_server
from tests.acceptance.harness import wait_until
from timestamps.log import stream


@contextmanager
def own_valkey(folder: Path, *options: str) -> Iterator["Redis"]:
    """A client of it; its log and socket are in ``folder``. ``options`` as on the server's command line."""
    socket = folder / "own.sock"
    common = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", ""]
    server = subprocess.Popen([valkey_server(), *common, *options])
    client = Redis.from_url(f"unix://{socket}", socket_timeout=0.5)
    try:
        wait_until(lambda: answers(str(socket)), "own Valkey", 10)
        yield client
    finally:
        client.close()
        server.kill()
        server.wait()


@contextmanager
def own_truth(folder: Path, *options: str) -> Iterator["Redis"]:
    """The truth store meanwhile. Scripts know their client, so they are made anew."""
    with own_valkey(folder, *options) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr(valkey, "truth", lambda: client)
        _forget_scripts()
        yield client
    _forget_scripts()


def _forget_scripts() -> None:
    buffer._script.cache_clear()
    stream._script.cache_clear()
