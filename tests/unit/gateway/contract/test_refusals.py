"""What is refused at both doors alike, before a body is read."""

import asyncio
import json
from typing import Any

import pytest
from pytest_django import Settings

from common.stores.circuits import Circuit
from gateway.contract.headers import ALONE, JOINED_BY, Headers, fields_of
from gateway.contract.http import HotRequest, Message, Reply, Scope
from gateway.endpoints.hot import HotEndpoint
from gateway.keys.scopes import KeyScope
from gateway.server.app import Gateway

HOT: HotEndpoint[HotRequest, HotRequest] = HotEndpoint(
    name="example",
    method="POST",
    path="/hot",
    needs=KeyScope.READ,
    parse=lambda request: request,
    run=lambda items: items,
    reply=lambda request, result: Reply(200, b"hot"),
    store=Circuit("example", lambda: None),
    body_limit_bytes=64,
)
DOORS = pytest.mark.parametrize("path", ["/hot", "/django"])


class Answer:
    def __init__(self, sent: list[Message], *, read_before: bool) -> None:
        self.status: int = sent[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        body = b"".join(message["body"] for message in sent[1:])
        self.problem: Any = json.loads(body) if self.status >= 400 else {}
        self.has_read_before = read_before

    @property
    def fields(self) -> list[str]:
        return [error["field"] for error in self.problem.get("errors", ())]


async def django(scope: Scope, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"django"})


def ask(path: str, headers: Headers, *, method: str = "POST", body: bytes = b"{}") -> Answer:
    scope: Scope = {"type": "http", "method": method, "path": path, "query_string": b"", "client": ("127.0.0.1", 1)}
    scope["headers"] = [
        *headers,
        *([] if b"content-length" in dict(headers) else [(b"content-length", b"%d" % len(body))]),
    ]
    sent: list[Message] = []
    read_before: list[bool] = []

    async def receive() -> Message:
        read_before.append(not sent)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await Gateway(django, [HOT])(scope, receive, send)

    asyncio.run(run())
    return Answer(sent, read_before=any(read_before))


@DOORS
@pytest.mark.parametrize("coding", [b"gzip", b"gzip, chunked", b"chunked, gzip", b"identity"])
def test_body_that_is_coded_on_its_way_is_refused_unread(path: str, coding: bytes) -> None:
    answer = ask(path, [(b"transfer-encoding", coding)])
    assert (answer.status, answer.problem["code"]) == (501, "unknown-transfer-coding")
    assert not answer.has_read_before


@DOORS
@pytest.mark.parametrize("coding", [b"chunked", b"Chunked"])
def test_body_may_come_in_chunks(path: str, coding: bytes) -> None:
    assert ask(path, [(b"transfer-encoding", coding)]).status == 200


@DOORS
@pytest.mark.parametrize("name", [name for name, separator in JOINED_BY.items() if separator is ALONE])
def test_header_that_stands_alone_is_refused_when_it_comes_twice(path: str, name: bytes) -> None:
    answer = ask(path, [(name, b"2"), (b"host", b"localhost")] + [(name, b"2")] * (name != b"host"))
    if name == b"host":
        answer = ask(path, [(name, b"localhost"), (name, b"localhost")])
    assert (answer.status, [field.lower() for field in answer.fields]) == (400, [name.decode()])
    assert not answer.has_read_before


@DOORS
@pytest.mark.parametrize(
    "name", [b"x-correlation-id", b"accept", b"if-none-match", b"x-forwarded-for", b"cookie", b"x-own"]
)
def test_header_that_is_a_list_may_come_on_several_lines(path: str, name: bytes) -> None:
    assert ask(path, [(name, b"a"), (name, b"b")]).status == 200


def test_lines_of_a_list_are_one_value() -> None:
    headers = [(b"if-none-match", b'"a"'), (b"host", b"x"), (b"if-none-match", b'"b", "c"')]
    assert fields_of(headers) == {b"if-none-match": b'"a","b", "c"', b"host": b"x"}


@DOORS
@pytest.mark.parametrize(
    "coding", [b"gzip", b"GZIP", b"x-gzip", b"deflate", b"br", b"zstd", b"identity, gzip", b"none"]
)
def test_compressed_body_is_refused_unread(path: str, coding: bytes) -> None:
    for headers in (
        [(b"content-encoding", coding)],
        [(b"content-encoding", b"identity"), (b"content-encoding", coding)],
    ):
        answer = ask(path, headers)
        assert (answer.status, answer.problem["code"]) == (415, "unsupported-encoding")
        assert answer.headers["accept-encoding"] == "identity"
        assert not answer.has_read_before


@DOORS
@pytest.mark.parametrize("host", [b"evil.example", b"127.0.0.1.evil.example:8000", b"a b", b"", b"[::1"])
def test_a_name_that_is_not_ours_is_refused(path: str, host: bytes) -> None:
    answer = ask(path, [(b"host", host)])
    assert (answer.status, answer.problem["code"], answer.has_read_before) == (400, "foreign-host", False)


@DOORS
@pytest.mark.parametrize("host", [b"localhost", b"LOCALHOST:8000", b"127.0.0.1:1", b"[::1]:8000", None])
def test_our_names_are_not(path: str, host: bytes | None) -> None:
    assert ask(path, [(b"host", host)] if host else []).status == 200


@DOORS
def test_body_as_it_is_may_say_so(path: str) -> None:
    for coding in (b"identity", b"Identity", b"", b"identity, identity"):
        assert ask(path, [(b"content-encoding", coding)]).status == 200


def test_who_sends_no_body_is_not_asked_how_it_is_encoded() -> None:
    gzip = (b"content-encoding", b"gzip")
    assert ask("/hot", [gzip], body=b"").status == 200
    assert ask("/django", [gzip], method="GET", body=b"").status == 200
    assert ask("/django", [gzip, (b"transfer-encoding", b"chunked")], method="GET").status == 415


ORIGIN = b"https://shop.example"
FOREIGN = [(b"origin", ORIGIN), (b"sec-fetch-site", b"cross-site"), (b"host", b"localhost")]


@DOORS
def test_page_of_an_allowed_origin_may_write(path: str, settings: Settings) -> None:
    assert ask(path, FOREIGN).problem["code"] == "cross-site-request"
    settings.CORS_ALLOWED_ORIGINS = ("https://other.example", ORIGIN.decode())
    assert ask(path, FOREIGN).status == ask(path, FOREIGN[:1]).status == 200
    for other in (b"https://shop.example.evil", b"http://shop.example", b"https://shop.example:444", b"null"):
        assert ask(path, [(b"origin", other), *FOREIGN[1:]]).status == 403
    settings.CORS_ALLOWED_ORIGINS = ("*",)
    assert ask(path, [(b"origin", b"null")]).status == 200
