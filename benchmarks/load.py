"""A load generator that costs little: raw HTTP/1.1 over kept connections, one request in flight on each.

Requests are prepared as bytes before the clock starts; the answer is parsed only as far as its status and its end.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop


@dataclass
class LoadResult:
    """What a run of load brought: answers by status, and each one's latency in seconds."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return sum(self.statuses.values()) / self.seconds

    def percentile(self, share: float) -> float:
        """Latency in seconds that ``share`` of the answers did not pass."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class _Client(asyncio.Protocol):
    def __init__(self, requests: "itertools.cycle[bytes]", result: LoadResult, until: float) -> None:
        self._requests = requests
        self._result = result
        self._until = until
        self._buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        if self._sent_at >= self._until:
            self._transport.close()
            return
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            return
        self._buffer = b""
        self._result.statuses[int(head[9:12])] += 1
        self._result.latencies.append(time.perf_counter() - self._sent_at)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _content_length(head: bytes) -> int:
    lower = head.lower()
    start = lower.find(b"content-length: ")
    return int(lower[start + 16 : lower.find(b"\r", start) if b"\r" in lower[start:] else None]) if start >= 0 else 0


def run_load(port: int, requests: Sequence[bytes], *, connections: int, seconds: float) -> LoadResult:
    """Send ``requests`` round and round on loopback for ``seconds`` and report what came back."""
    return uvloop.run(_run(port, requests, connections, seconds))


async def _run(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> LoadResult:
    result = LoadResult()
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    endless = itertools.cycle(requests)
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(
            lambda: _Client(endless, result, started + seconds), "127.0.0.1", port
        )
        clients.append(client)
    await asyncio.wait_for(asyncio.gather(*(client.done for client in clients)), seconds + 30)
    result.seconds = time.perf_counter() - started
    return result


def get_request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
