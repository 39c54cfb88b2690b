"""One HTTP request to another server, answered completely or not at all.

There are timeouts for connecting, look-up of the name included, and for the whole call, however slowly bytes drip. The
standard library's client: it is one request at a time, and nothing may repeat or redirect it.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from common.network.connecting import connect

# What a call raises when there is no whole answer: nobody knows what the other side did.
NO_ANSWER = (OSError, http.client.HTTPException)


class Patience(NamedTuple):
    connect_seconds: float
    total_seconds: float


class Outgoing(NamedTuple):
    """A request. Attributes: url: http or https; answer_bytes: a longer answer is none."""

    method: str
    url: str
    headers: Mapping[str, str]
    patience: Patience
    answer_bytes: int
    body: bytes | None = None


def send(request: Outgoing) -> tuple[int, bytes]:
    """Status and content of the answer. Raises: one of NO_ANSWER, which never quotes the URL."""
    where = urlsplit(request.url)
    is_https = where.scheme == "https"
    connection = (http.client.HTTPSConnection if is_https else http.client.HTTPConnection)(
        str(where.hostname), where.port
    )
    target = f"{where.path}?{where.query}" if where.query else where.path
    with _connected(connection.host, connection.port, is_https, request.patience) as connection.sock:
        connection.request(request.method, target, request.body, dict(request.headers) | {"Connection": "close"})
        with connection.getresponse() as response:
            content = response.read(request.answer_bytes)
            if response.length or not response.isclosed():
                raise http.client.IncompleteRead(content, response.length)
            return response.status, content


@contextmanager
def _connected(host: str, port: int, is_https: bool, patience: Patience) -> Iterator[socket.socket]:
    """A connection that is cut when the time for the whole call is over."""
    until = time.monotonic() + patience.total_seconds
    connection = connect(host, port, patience.connect_seconds)
    if is_https:
        context = ssl.create_default_context()
        connection = context.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)
    connection.settimeout(patience.total_seconds)
    timer = threading.Timer(until - time.monotonic(), _cut, [connection])
    timer.start()
    try:
        if isinstance(connection, ssl.SSLSocket):
            connection.do_handshake()
        yield connection
    finally:
        timer.cancel()
        connection.close()


def _cut(connection: socket.socket) -> None:
    """Whoever reads from it gets an end of file."""
    try:
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself
