import asyncio
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest
from django.conf import settings

from gateway.contract.http import Message, Scope
from gateway.contract.spool import Spool, new_spool
from gateway.server import bridge
from gateway.server.bridge import WSGIBridge, run_wsgi
from gateway.server.environ import wsgi_environ

StartResponse = Callable[..., Any]
OK = "200 OK"
TEXT = [("Content-Type", "text/plain")]


@pytest.fixture(autouse=True)
def _small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SPOOL_DIR", tmp_path)
    monkeypatch.setattr(settings, "WSGI_THREADS", 1)
    monkeypatch.setattr(bridge, "PERMIT_WAIT_SECONDS", 0.1)
    monkeypatch.setattr(bridge, "SEND_STALL_SECONDS", 0.1)


def scope(**changes: Any) -> Scope:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 5000),
        **changes,
    }


async def no_body() -> Message:
    return {"type": "http.request"}


class Client:
    def __init__(self, *, stalls: bool = False) -> None:
        self.sent: list[Message] = []
        self.stalls = stalls

    async def send(self, message: Message) -> None:
        if self.stalls and message.get("body"):
            await asyncio.Event().wait()
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


def environ_of(**changes: Any) -> tuple[dict[str, Any], Spool]:
    body = new_spool()
    return wsgi_environ(scope(**changes), body, 0), body


def test_the_environ_is_what_wsgi_asks_for() -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        environ["wsgi.input"].read(10)
        start_response(OK, TEXT)
        return [b"fine"]

    environ, body = environ_of()
    with body, run_wsgi(validator(app), environ).body as answer:
        answer.seek(0)
        assert answer.read() == b"fine"


def test_paths_queries_and_headers_reach_wsgi_byte_for_byte() -> None:
    headers = [
        (b"host", b"a"),
        (b"content-type", b"text/csv"),
        (b"content-length", b"99"),
        (b"transfer-encoding", b"chunked"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"accept", b"x"),
        (b"accept", b"y"),
    ]
    environ, body = environ_of(raw_path=b"/caf%C3%A9/%2F%ff", query_string=b"q=\xff", headers=headers)
    body.close()
    assert environ["PATH_INFO"].encode("latin-1") == b"/caf\xc3\xa9//\xff"
    assert environ["QUERY_STRING"].encode("latin-1") == b"q=\xff"
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("text/csv", "0")
    assert (environ["HTTP_COOKIE"], environ["HTTP_ACCEPT"]) == ("a=1; b=2", "x,y")
    assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"} & environ.keys()


@pytest.mark.parametrize("fails", [False, True])
def test_the_applications_result_is_closed(fails: bool) -> None:
    class Result(io.BytesIO):
        def __next__(self) -> bytes:
            if fails:
                raise ValueError
            return super().__next__()

    result = Result(b"text")

    def app(environ: dict[str, Any], start_response: StartResponse) -> Result:
        start_response(OK, TEXT)
        return result

    client = Client()
    asyncio.run(WSGIBridge(app)(scope(), no_body, client.send))
    assert result.closed
    assert client.status == (500 if fails else 200)


def test_what_start_response_writes_comes_first() -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        start_response(OK, TEXT)(b"one ")
        return [b"two"]

    client = Client()
    asyncio.run(WSGIBridge(app)(scope(), no_body, client.send))
    assert client.body == b"one two"
    assert (b"content-length", b"7") in client.sent[0]["headers"]


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", OK), ("GET", "304 Not Modified"), ("DELETE", "204 No Content")]
)
def test_answers_without_a_body_get_none_and_no_length(method: str, status: str) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        start_response(status, [])
        return [b"must not be sent"]

    client = Client()
    asyncio.run(WSGIBridge(app)(scope(method=method), no_body, client.send))
    assert client.body == b""
    assert client.sent[0]["headers"] == []


def test_a_stalled_client_is_dropped_without_an_end() -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        start_response(OK, TEXT)
        return [b"text"]

    client = Client(stalls=True)
    asyncio.run(asyncio.wait_for(WSGIBridge(app)(scope(), no_body, client.send), 5))
    assert [message["type"] for message in client.sent] == ["http.response.start"]


@pytest.fixture
def door() -> Iterator[threading.Event]:
    """The application waits at this door."""
    event = threading.Event()
    yield event
    event.set()


def test_a_cancelled_request_keeps_its_permit_until_its_thread_is_done(door: threading.Event) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        door.wait()
        start_response(OK, TEXT)
        return [b"done"]

    async def story() -> tuple[int, int]:
        application = WSGIBridge(app)
        cancelled = asyncio.create_task(application(scope(), no_body, Client().send))
        while not application._calls:
            await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        refused, served = Client(), Client()
        await application(scope(), no_body, refused.send)
        door.set()
        await asyncio.wait(application._calls)
        await application(scope(), no_body, served.send)
        return refused.status, served.status

    assert asyncio.run(story()) == (503, 200)
