"""A small WSGI application behind the real bridge, for tests with a real gunicorn."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()
settings.WSGI_THREADS = 3  # two of them for what is not a page for people
settings.BODY_LIMIT_BYTES = 100_000
settings.UPLOAD_MAX_BYTES = 50_000_000

from common.errors import FloodgateError  # noqa: E402  (settings come first)
from gateway.contract.headers import Headers, fields_of  # noqa: E402
from gateway.contract.http import Reply, Room, read_body, send_reply  # noqa: E402
from gateway.contract.problems import problem_reply  # noqa: E402
from gateway.server import bridge, protocol  # noqa: E402

bridge.SEND_STALL_SECONDS = protocol.BODY_STALL_SECONDS = 2.0
protocol.HEAD_SECONDS = 1.0
StartResponse = Callable[..., Any]
Environ = dict[str, Any]


def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    return PAGES[environ["PATH_INFO"]](environ, start_response)


def hello(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    yield b"hello"


def length(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield f"{len(body)} {environ['CONTENT_LENGTH']}".encode()


def large(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    for _ in range(30):
        yield b"x" * 1_000_000


def failing_late(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"some"
    raise ValueError("late")


def short(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "10")])
    yield b"four"


def slow(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    time.sleep(3)
    return hello(environ, start_response)


def soon(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    time.sleep(0.5)
    return hello(environ, start_response)


def names(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield " ".join(sorted(name for name in environ if name.startswith("HTTP_"))).encode()


def seen(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield f"{environ['HTTP_HOST']} {environ['PATH_INFO']} {environ['QUERY_STRING']}".encode()


PAGES = {
    "/": seen,
    "/seen": seen,
    "/names": names,
    "/soon": soon,
    "/hello": hello,
    "/length": length,
    "/upload": length,
    "/large": large,
    "/failing-late": failing_late,
    "/short": short,
    "/slow": slow,
}
_bridge = bridge.WSGIBridge(app, body_limits={"/upload": settings.UPLOAD_MAX_BYTES})


ROOM = Room(1_000_000)


async def hot_length(scope: Any, receive: Any, send: Any) -> None:
    """What hot endpoints do with bodies."""
    try:
        body = await read_body(receive, fields_of(scope["headers"]), 100_000, ROOM)
        reply = Reply(200, b"%d" % len(body))
    except FloodgateError as error:
        reply = problem_reply(error, "")
    await send_reply(send, reply, "")


class Application:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await (hot_length if scope["path"] in HOT else _bridge)(scope, receive, send)
            return
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})

    def take(self, method: str, target: bytes, headers: Headers, body: bytes, peer: str, answer: Any) -> bool:
        """What comes whole to the hot addresses; one of them answers at once."""
        reply = Reply(200, b"%d" % len(body))
        if target == b"/hot-length":
            asyncio.get_running_loop().call_later(0.05, answer, reply, "")
        elif target == b"/hot-length-at-once":
            answer(reply, "")
        return target.decode() in HOT


HOT = {"/hot-length", "/hot-length-at-once"}
application = Application()
