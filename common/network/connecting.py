"""A TCP connection within a given time, the look-up of the host's name included.

The C library's look-up has no timeout, and the standard library gives each address of a host the whole time. A look-up
runs on a thread of its own, one at a time for each host: while the name server is silent, all callers wait for that.
"""

import socket
import threading
import time
from concurrent.futures import Future
from typing import Any

from common.forks import renew_after_fork

Addresses = list[tuple[Any, ...]]  # as socket.getaddrinfo answers


class _LookUps:
    """Those that are under way."""

    def __init__(self) -> None:
        renew_after_fork(self, _LookUps._begin)

    def _begin(self) -> None:
        self.lock = threading.Lock()
        self.asked: dict[tuple[str, int], Future[Addresses]] = {}


_look_ups = _LookUps()


def connect(host: str, port: int, seconds: float) -> socket.socket:
    """A connection to the first address that takes it. Raises OSError; a TimeoutError is one."""
    until = time.monotonic() + seconds
    addresses = _look_up(host, port).result(seconds)
    error = OSError(f"{host} has no address")
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        share_seconds = (until - time.monotonic()) / (len(addresses) - index)
        try:
            return _connected(socket.socket(family, kind, protocol), address, max(share_seconds, 0.001))
        except OSError as exc:
            error = exc
    raise error


def _connected(connection: socket.socket, address: Any, seconds: float) -> socket.socket:
    try:
        connection.settimeout(seconds)
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _look_up(host: str, port: int) -> Future[Addresses]:
    with _look_ups.lock:
        if (found := _look_ups.asked.get((host, port))) is None:
            found = _look_ups.asked[host, port] = Future()
            try:
                threading.Thread(target=_ask, args=(host, port, found), name="look-up", daemon=True).start()
            except RuntimeError as exc:  # no room for a thread: left here, nobody would ask again
                del _look_ups.asked[host, port]
                raise OSError(f"no look-up of {host}: {exc}") from exc
        return found


def _ask(host: str, port: int, asked: Future[Addresses]) -> None:
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except BaseException as exc:  # whatever it is, somebody waits
        del _look_ups.asked[host, port]
        asked.set_exception(exc)
    else:
        del _look_ups.asked[host, port]
        asked.set_result(addresses)
