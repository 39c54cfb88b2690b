"""A kept HTTP/1.1 connection that knows whether a request may have had an effect.

Raw streams instead of httpx: one process must bring several thousand requests per second beside the stack.
"""

import asyncio
import json
import re
from collections import Counter
from typing import Any, NamedTuple

TIMEOUT_SECONDS = 5.0
_LENGTH = re.compile(rb"content-length: ([0-9]+)", re.IGNORECASE)


class NoAnswer(Exception):
    """The request left, and its connection broke or nothing came in time: its effect is unknown."""


class Answer(NamedTuple):
    status: int
    body: bytes

    def content(self) -> Any:
        """Of the JSON in its body."""
        return json.loads(self.body)


class Connection:
    """To the stack's port on loopback; opened when needed, again after it broke. One request at a time.

    Args: statuses: where answers are counted, by status.
    """

    def __init__(self, port: int, statuses: Counter[int]) -> None:
        self._port = port
        self._statuses = statuses
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> Answer:
        """Send the request once. Raises: NoAnswer; OSError: it did not leave."""
        reader, writer = await self._open()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                writer.write(request)
                answer = await _read_answer(reader)
        except (OSError, EOFError, TimeoutError) as exc:
            self.close()
            raise NoAnswer from exc
        self._statuses[answer.status] += 1
        return answer

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams and self._streams[0].at_eof():
            self.close()
        if self._streams is None:
            async with asyncio.timeout(TIMEOUT_SECONDS):  # its TimeoutError is an OSError
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        return self._streams


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    found = _LENGTH.search(head)
    return Answer(int(head[9:12]), await reader.readexactly(int(found[1]) if found else 0))


def get_request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post_request(path: str, content: object, idempotency_key: str = "", correlation_id: str = "") -> bytes:
    """With ``content`` as JSON; an empty ``idempotency_key`` or ``correlation_id`` is not sent."""
    body = json.dumps(content)
    extra = f"Idempotency-Key: {idempotency_key}\r\n" if idempotency_key else ""
    extra += f"X-Correlation-ID: {correlation_id}\r\n" if correlation_id else ""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{extra}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
