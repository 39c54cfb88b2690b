"""One request on both roads: through the gateway's hot path, and to the DRF twin."""

import asyncio
import json
import threading
from typing import Any, NamedTuple
from urllib.parse import unquote

from django.db import connections
from django.test import Client

from gateway.contract.headers import Headers
from gateway.contract.http import Reply, reply_headers
from gateway.endpoints.hot import hot_endpoints
from gateway.server.app import Gateway

CORRELATION_ID = "123e4567-e89b-12d3-a456-426614174000"


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def _refuse_django(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError(f"{scope['path']} left the hot path")


async def _through_gateway(method: str, target: str, body: bytes, headers: dict[str, str]) -> Answer:
    """As the server asks: what is not taken by a call goes through ASGI."""
    gateway = Gateway(_refuse_django, hot_endpoints())
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    raw += [(b"host", b"localhost"), (b"content-length", b"%d" % len(body))]
    taken: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def answer(reply: Reply, correlation_id: str) -> None:
        taken.set_result(Answer(reply.status, reply.body, _texts(reply_headers(reply, correlation_id))))

    is_taken = gateway.take(method, target.encode(), raw, body, "127.0.0.1", answer)
    found = await (taken if is_taken else _through_asgi(gateway, method, target, body, raw))
    end_threads(gateway)
    return found


async def _through_asgi(gateway: Gateway, method: str, target: str, body: bytes, headers: Headers) -> Answer:
    sent: list[Any] = []
    messages = iter([{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}])

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return next(messages)

    path, _, query = target.partition("?")
    scope = {"type": "http", "method": method, "path": unquote(path), "query_string": query.encode()}
    await gateway({**scope, "headers": headers, "client": ("127.0.0.1", 0)}, receive, send)
    return Answer(sent[0]["status"], b"".join(message["body"] for message in sent[1:]), _texts(sent[0]["headers"]))


def _texts(headers: Headers) -> dict[str, str]:
    return {name.decode().lower(): value.decode() for name, value in headers}


def end_threads(gateway: Gateway) -> None:
    """Close the database connections of a gateway's threads, which meet at a barrier so that each has its turn."""
    for threads in gateway._hot._threads.values():
        if threads._threads:
            together = threading.Barrier(threads._max_workers)
            for closed in [threads.submit(_close, together) for _ in range(threads._max_workers)]:
                closed.result()
        threads.shutdown()


def _close(together: threading.Barrier) -> None:
    together.wait(5)
    connections.close_all()


def hot_path(method: str, path: str, body: object = b"", **headers: str) -> Answer:
    return asyncio.run(_through_gateway(method, path, _bytes(body), _named(headers)))


def django(method: str, path: str, body: object = b"", **headers: str) -> Answer:
    answer = Client().generic(method, path, _bytes(body), content_type="application/json", headers=_named(headers))
    return Answer(answer.status_code, answer.content, {k.lower(): v for k, v in answer.headers.items()})


def _bytes(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {"X-Correlation-ID": CORRELATION_ID} | {name.replace("_", "-"): value for name, value in headers.items()}
