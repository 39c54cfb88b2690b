"""What a connection of the server does between its requests, without a socket."""

import asyncio
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from gateway.contract.http import Reply
from gateway.server.protocol import Protocol

SOON_SECONDS = 4.0  # less than a connection may be silent, and its head take, while the server does not stop
HOT = b"POST /hot HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def write_eof(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


class Application:
    """Takes what asks for /hot, and answers at once or when it is told to. All else waits for ever."""

    def __init__(self, *, answers: bool = True) -> None:
        self.answers = answers
        self.asked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        await asyncio.Event().wait()

    def take(self, method: str, target: bytes, headers: Any, body: bytes, peer: str, answer: Any) -> bool:
        if target == b"/hot" and self.answers:
            answer(Reply(200, body), "")
        return target == b"/hot"


def connected(application: Application) -> tuple[Protocol, Transport]:
    config = Config(application, http=Protocol, ws="none", log_config=None, proxy_headers=False)
    config.load()
    protocol, transport = Protocol(config, ServerState(), {}), Transport()
    protocol.connection_made(transport)
    return protocol, transport


def test_server_may_stop_after_a_first_request_that_is_none() -> None:
    async def scenario() -> None:
        protocol, transport = connected(Application())
        protocol.data_received(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        assert transport.written.startswith(b"HTTP/1.1 400 ")
        protocol.shutdown()

    asyncio.run(scenario())


def test_a_request_behind_one_that_is_answered_at_once_does_not_count_as_silence() -> None:
    async def scenario() -> None:
        application = Application()
        protocol, transport = connected(application)
        protocol.data_received(HOT + b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0)
        assert (transport.written.count(b"HTTP/1.1 200 "), application.asked) == (1, 1)
        assert protocol.timeout_keep_alive_task is None

    asyncio.run(scenario())


def test_what_is_taken_is_not_answered_to_a_client_that_is_gone() -> None:
    async def scenario() -> None:
        protocol, transport = connected(Application(answers=False))
        protocol.data_received(HOT)
        request: Any = protocol.cycle
        transport.close()
        request.answer(Reply(200, b"late"), "")
        protocol.connection_lost(None)
        request.answer(Reply(200, b"later"), "")
        assert transport.written == b""

    asyncio.run(scenario())


def test_a_request_that_meets_a_server_that_stops_is_answered_and_the_last_of_its_connection() -> None:
    async def scenario() -> None:
        protocol, transport = connected(Application())
        protocol.data_received(HOT)
        protocol.shutdown()
        assert not transport.is_closed
        protocol.data_received(HOT)
        first, second = transport.written.split(b"HTTP/1.1 200 ")[1:]
        assert b"connection: close" not in first
        assert b"connection: close" in second
        assert transport.is_closed

    asyncio.run(scenario())


def test_a_request_that_waits_when_the_server_stops_is_the_last_of_its_connection() -> None:
    async def scenario() -> None:
        protocol, transport = connected(Application(answers=False))
        protocol.data_received(HOT)
        protocol.shutdown()
        request: Any = protocol.cycle
        request.answer(Reply(200, b"late"), "")
        assert b"connection: close" in transport.written
        assert transport.is_closed

    asyncio.run(scenario())


def test_what_comes_behind_the_last_request_of_a_server_that_stops_is_not_begun() -> None:
    async def scenario() -> None:
        application = Application(answers=False)
        protocol, transport = connected(application)
        protocol.data_received(HOT)
        protocol.shutdown()
        request: Any = protocol.cycle
        protocol.data_received(b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nxxx")
        request.answer(Reply(200, b"late"), "")
        await asyncio.sleep(0)
        assert b"connection: close" in transport.written
        assert (transport.is_closed, application.asked) == (True, 0)

    asyncio.run(scenario())


@pytest.mark.parametrize("begun", [b"", HOT, HOT + b"POST /ho"], ids=["nothing", "a request", "half a head"])
def test_a_connection_on_which_nothing_comes_ends_soon_after_the_server_stops(
    monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    for name in ("STOPPING_SILENT_SECONDS", "STOPPING_STALL_SECONDS", "LINGER_SECONDS"):
        monkeypatch.setattr(f"gateway.server.protocol.{name}", 0.01)

    async def scenario() -> None:
        protocol, transport = connected(Application())
        if begun:
            protocol.data_received(begun)
        protocol.shutdown()
        async with asyncio.timeout(SOON_SECONDS):
            while not transport.is_closed:
                await asyncio.sleep(0.01)

    asyncio.run(scenario())
