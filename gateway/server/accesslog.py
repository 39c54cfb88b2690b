"""The access log: one line of JSON per request, written behind the requests.

A line through ``logging`` costs more than the rest of a request of the hot path, so requests are kept as tuples, and
once a second a thread writes them as lines. A process that is killed loses the lines of its last second. There is
nothing personal in them: addresses as templates, clients as accounts.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from time import time
from typing import NamedTuple

FLUSH_SECONDS = 1.0
MOST_WAITING = 100_000  # while nobody reads what we write; some 30 MB
PIECE_BYTES = 4_096  # PIPE_BUF: lines of several processes do not mix
_FROM_STATUS = {"on": 0, "errors": 400, "off": 1_000}


class Entry(NamedTuple):
    at: float
    account: str
    method: str
    route: str
    status: int
    seconds: float
    size: int
    correlation_id: str


class AccessLog:
    """Belongs to one event loop.

    Args: mode: on, errors (statuses from 400 on) or off.
          write: takes whole lines, at most PIECE_BYTES at a time; may block.
    """

    def __init__(self, mode: str, write: Callable[[bytes], object] | None = None) -> None:
        self.from_status = _FROM_STATUS[mode]
        self._write = write or _write_to_stderr
        self._waiting: list[Entry] = []
        self._lost = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="access-log")
        self._writing: Future[None] | None = None

    def add(
        self, account: str, method: str, route: str, status: int, seconds: float, size: int, correlation_id: str
    ) -> None:
        """One answer, with ``size`` bytes of body. Callers ask ``from_status`` first."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(Entry(time(), account, method, route, status, seconds, size, correlation_id))
        else:
            self._lost += 1

    def flush(self) -> None:
        """Have what waits written, unless the last lines are still being written."""
        if not self._waiting or (self._writing and not self._writing.done()):
            return
        entries, lost = self._waiting, self._lost
        self._waiting, self._lost = [], 0
        self._writing = self._thread.submit(self._write_all, entries, lost)

    async def flush_every_second(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self.flush()

    def close(self) -> None:
        """Write the rest; may block, so it belongs on a thread."""
        self._thread.shutdown()
        self._write_all(self._waiting, self._lost)

    def _write_all(self, entries: list[Entry], lost: int) -> None:
        lines = [_line(entry) for entry in entries]
        if lost:
            lines.append(
                b'{"event": "requests_not_logged", "level": "warning", "logger": "access", "count": %d}\n' % lost
            )
        piece = b""
        for line in lines:
            if len(piece) + len(line) > PIECE_BYTES:
                self._write(piece)
                piece = b""
            piece += line
        if piece:
            self._write(piece)


def _line(entry: Entry) -> bytes:
    """Written by hand: none of the texts can need escaping."""
    second, millisecond = divmod(int(1000 * entry.at), 1000)
    return (
        f'{{"timestamp": "{_instant(second)}.{millisecond:03d}Z", "level": "info", "logger": "access", '
        f'"event": "request", "account": "{entry.account}", "method": "{entry.method}", "route": "{entry.route}", '
        f'"status": {entry.status}, "duration_ms": {1000 * entry.seconds:.3f}, "bytes": {entry.size}, '
        f'"correlation_id": "{entry.correlation_id}"}}\n'
    ).encode()


@lru_cache(4)
def _instant(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().removesuffix("+00:00")


def _write_to_stderr(lines: bytes) -> None:
    while lines:
        lines = lines[os.write(sys.stderr.fileno(), lines) :]
