"""An HTTP proxy that does to requests what networks do: loses answers, holds them back, cuts them, sends things twice.

Each fault happens once to the next delivery of wallet orders; everything else passes.
"""

import socket
import socketserver
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HELD_SECONDS = 5.6  # longer than a delivery waits
DELIVERY = b"POST /api/wallet/orders "


class FaultyProxy:
    """Stands in front of a server on this machine.

    Attributes: waiting: faults that are still to happen; happened: those that did; deliveries: how many came.
    """

    def __init__(self, upstream: int) -> None:
        self.waiting: deque[str] = deque()
        self.happened: list[str] = []
        self.deliveries = 0
        self._upstream = upstream
        self._kept = b""
        self._lock = threading.Lock()
        self.faults: dict[str, Callable[[bytes], bytes]] = {
            "answer lost": self._lose_answer,
            "refused": lambda request: b"",
            "request cut": self._cut_request,
            "answer cut": self._cut_answer,
            "server error": lambda request: b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
            "sent twice": self._send_twice,
            "sent again later": self._send_again_later,
            "answer held": self._hold_answer,
        }

    def answer(self, request: bytes) -> bytes:
        """What the client gets, after whatever was done to the request."""
        if not request.startswith(DELIVERY):
            return self._forward(request)
        with self._lock:
            self.deliveries += 1
            fault = self.waiting.popleft() if self.waiting else ""
        self.send_kept()
        if not fault:
            return self._forward(request)
        try:
            return self.faults[fault](request)
        finally:
            self.happened.append(fault)

    def send_kept(self) -> None:
        """What "sent again later" keeps for the next delivery, should there be none."""
        with self._lock:
            late, self._kept = self._kept, b""
        if late:
            self._forward(late)

    def _forward(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self._upstream), 10) as connection:
            connection.sendall(request)
            return read_all(connection)

    def _lose_answer(self, request: bytes) -> bytes:
        self._forward(request)
        return b""

    def _cut_request(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self._upstream), 10) as connection:
            connection.sendall(request[: len(request) - 20])
        return b""

    def _cut_answer(self, request: bytes) -> bytes:
        return self._forward(request)[:-20]

    def _send_twice(self, request: bytes) -> bytes:
        """At once, on two connections."""
        second = threading.Thread(target=self._forward, args=[request])
        second.start()
        answer = self._forward(request)
        second.join()
        return answer

    def _send_again_later(self, request: bytes) -> bytes:
        """Before the next delivery."""
        self._kept = request
        return self._forward(request)

    def _hold_answer(self, request: bytes) -> bytes:
        answer = self._forward(request)
        self.happened.append("holding")
        threading.Event().wait(HELD_SECONDS)
        return answer


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def read_request(connection: socket.socket) -> bytes:
    """One request, whole."""
    request = b""
    while b"\r\n\r\n" not in request:
        if not (piece := connection.recv(65_536)):
            return b""
        request += piece
    head, _, body = request.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    missing = int(fields.get(b"content-length", 0)) - len(body)
    while missing > 0 and (piece := connection.recv(65_536)):
        request += piece
        missing -= len(piece)
    return request


@contextmanager
def faulty_proxy(upstream: int) -> Iterator[tuple[FaultyProxy, str]]:
    """The proxy, and the address that leads through it."""
    proxy = FaultyProxy(upstream)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if request := read_request(self.request):
                try:
                    self.request.sendall(proxy.answer(request))
                except OSError:
                    return  # one of the two has gone

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield proxy, f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
