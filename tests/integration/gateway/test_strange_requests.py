"""Requests that no client should send get an answer of their own, never a 500."""

import asyncio
import json
from typing import Any

import pytest
from django.db import connections

from config.wsgi import application
from gateway.app import Gateway
from gateway.bridge import WSGIBridge
from gateway.http import Message, Scope

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])


@pytest.fixture(autouse=True)
def threads_keep_no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test database cannot be dropped while one is open."""
    for alias in ("default", "read"):
        monkeypatch.setitem(connections.settings[alias], "CONN_MAX_AGE", 0)


def ask(method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> tuple[int, str]:
    """Status and code (or content type) of the answer that a server with the gateway gives."""
    pairs = {"host": "localhost", "content-length": str(len(body)), **(headers or {})}
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in pairs.items()],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await Gateway(WSGIBridge(application, {"/process-csv": 2**30}), ())(scope, receive, send)

    asyncio.run(run())
    found: dict[bytes, bytes] = dict(sent[0]["headers"])
    answer: Any = b"".join(message.get("body", b"") for message in sent[1:])
    is_problem = found[b"content-type"] == b"application/problem+json"
    return sent[0]["status"], json.loads(answer)["code"] if is_problem else found[b"content-type"].decode()


def test_invented_method_becomes_no_label_of_a_metric() -> None:
    assert ask("M0001", "/imports") == (501, "unknown-method")


OTHER_SITES = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "http://localhost:3000"},
    {"origin": "http://evil.example"},
    {"origin": "null"},
]


@pytest.mark.parametrize("of_another_site", OTHER_SITES)
def test_page_of_another_site_changes_nothing(of_another_site: dict[str, str]) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"} | of_another_site
    assert ask("POST", "/process-csv", headers, b"filename=a.csv") == (403, "cross-site-request")
    assert ask("GET", "/imports", {"sec-fetch-site": "cross-site"})[0] == 200


@pytest.mark.parametrize("own", [{"sec-fetch-site": "same-origin"}, {"origin": "http://localhost"}, {}])
def test_own_pages_and_clients_without_a_page_may_write(own: dict[str, str]) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"} | own
    assert ask("POST", "/process-csv", headers, b"filename=missing.csv") == (404, "source-not-found")


@pytest.mark.parametrize("charset", ["zlib", "hex", "punycode", "undefined", '"rot13"', "utf-8"])
def test_strange_charset_is_ignored(charset: str) -> None:
    assert ask("GET", "/imports", {"content-type": f"text/plain; charset={charset}"})[0] == 200
    headers = {"content-type": f"application/x-www-form-urlencoded; charset={charset}"}
    assert ask("POST", "/process-csv", headers, b"filename=missing.csv") == (404, "source-not-found")


def test_deeply_nested_json_is_400() -> None:
    body = b"[" * 200_000
    assert ask("POST", "/process-csv", {"content-type": "application/json"}, body) == (400, "invalid-input")


def test_large_form_is_413() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert ask("POST", "/process-csv", headers, b"filename=" + b"x" * 5_000_000) == (413, "body-too-large")


@pytest.mark.parametrize("accept", ["text/html", "text/csv", "*/*", "nonsense"])
def test_answer_has_its_format_whatever_is_accepted(accept: str) -> None:
    assert ask("GET", "/imports", {"accept": accept}) == (200, "application/json")
