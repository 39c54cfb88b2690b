"""A load generator that costs little: raw HTTP/1.1 over kept connections, one request in flight on each.

Requests are prepared as bytes before the clock starts; the answer is parsed only as far as its status and its end.
"""

import asyncio
import gc
import itertools
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

import uvloop

_LENGTH = re.compile(rb"content-length: ([0-9]+)", re.IGNORECASE)


@dataclass
class LoadResult:
    """What a run of load brought: answers by status, broken connections, and each answer's latency in seconds."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    latencies: list[float] = field(default_factory=list)

    def __add__(self, other: "LoadResult") -> "LoadResult":
        return LoadResult(
            self.seconds + other.seconds,
            self.statuses + other.statuses,
            self.broken + other.broken,
            self.latencies + other.latencies,
        )

    @property
    def per_second(self) -> float:
        return self.statuses.total() / self.seconds

    def percentile(self, share: float) -> float:
        """Latency in seconds that ``share`` of the answers did not pass."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class _Client(asyncio.Protocol):
    """One connection with one request in flight; with a pace, its requests are due at fixed times."""

    def __init__(self, requests: Iterator[bytes], result: LoadResult, until: float, interval: float) -> None:
        self._requests = requests
        self._result = result
        self._until = until
        self._interval = interval
        self._due_at = time.perf_counter() + interval * random.random()
        self._buffer = b""
        self._is_waiting = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def _next(self) -> None:
        now = time.perf_counter()
        if now >= self._until:
            self._transport.close()
        elif self._interval:
            self._due_at += self._interval
            asyncio.get_running_loop().call_later(max(0.0, self._due_at - now), self._send, self._due_at)
        else:
            self._send(now)

    def _send(self, due_at: float) -> None:
        """Latency counts from when the request was due, so that a stall is not hidden by the waiting it causes."""
        self._sent_at = due_at
        self._is_waiting = True
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            return
        self._buffer = b""
        self._is_waiting = False
        self._result.statuses[int(head[9:12])] += 1
        self._result.latencies.append(time.perf_counter() - self._sent_at)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._result.broken += self._is_waiting
        self.done.set_result(None)


def _content_length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0


def run_load(
    port: int, requests: Sequence[bytes], *, connections: int, seconds: float, per_second: float = 0.0
) -> LoadResult:
    """Send ``requests`` round and round on loopback for ``seconds``, as fast as answers come or at a steady pace.

    Without collections of garbage, for which all connections would wait.
    """
    gc.disable()
    with suppress(PermissionError):  # of this thread alone, so that it measures the server and not its own waiting
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -10)
    try:
        return uvloop.run(_run(port, requests, connections, seconds, per_second))
    finally:
        gc.enable()


async def _run(port: int, requests: Sequence[bytes], connections: int, seconds: float, per_second: float) -> LoadResult:
    result = LoadResult()
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    interval = connections / per_second if per_second else 0.0
    endless = itertools.cycle(requests)
    clients = []
    for _ in range(connections):
        client = _Client(endless, result, started + seconds, interval)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
        clients.append(client)
    await asyncio.wait_for(asyncio.gather(*(client.done for client in clients)), seconds + 30)
    result.seconds = time.perf_counter() - started
    return result


def get_request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post_request(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body
