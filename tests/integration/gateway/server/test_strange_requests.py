"""Requests that no client should send get an answer of their own, never a 500."""

import asyncio
import json

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from config.wsgi import application
from gateway.contract.http import Message, Scope
from gateway.server.app import Gateway
from gateway.server.bridge import WSGIBridge

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])


@pytest.fixture(autouse=True)
def threads_keep_no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test database cannot be dropped while one is open."""
    for alias in ("default", "read"):
        monkeypatch.setitem(connections.settings[alias], "CONN_MAX_AGE", 0)


def ask(
    method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"", query: bytes = b""
) -> tuple[int, str]:
    """Status and code (or content type) of the answer that a server with the gateway gives."""
    status, content_type, content = answer_to(method, path, headers or {}, body, query)
    is_problem = content_type == "application/problem+json"
    return status, json.loads(content)["code"] if is_problem else content_type


def answer_to(
    method: str, path: str, headers: dict[str, str], body: bytes = b"", query: bytes = b""
) -> tuple[int, str, bytes]:
    pairs = {"host": "localhost", "content-length": str(len(body)), **headers}
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
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
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], found[b"content-type"].decode(), content


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


FORM = {"content-type": "application/x-www-form-urlencoded"}
MANY_FILES = b"".join(b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n\r\n' for _ in range(101))
SAID = [
    (
        "GET",
        "/imports",
        {"host": "evil.example"},
        b"",
        400,
        "not answer to the Host 'evil.example': it is not in ALLOWED_HOSTS",
    ),
    ("GET", "/imports", {"host": "a b"}, b"", 400, "'a b': it is not in ALLOWED_HOSTS"),
    ("POST", "/process-csv", FORM, b"a&" * 1_001, 400, "at most 1,000 fields"),
    (
        "POST",
        "/process-csv",
        {"content-type": "multipart/form-data; boundary=b"},
        MANY_FILES + b"--b--",
        400,
        "at most 100 files",
    ),
    (
        "POST",
        "/process-csv",
        {"content-type": "multipart/form-data"},
        b"--b--",
        400,
        "Content-Type: Has no boundary; let your client write this header.",
    ),
    ("POST", "/admin/login/", FORM, b"username=a", 403, "load the page again"),
    ("POST", "/admin/login/", FORM, b"a&" * 1_001, 400, "at most 1,000 fields"),
    (
        "POST",
        "/admin/login/",
        {"content-type": "multipart/form-data; boundary=\xff"},
        b"--b--",
        400,
        "no multipart form that can be read",
    ),
    ("PUT", "/imports", {}, b"", 405, 'Method "PUT" not allowed.'),
    ("GET", "/nowhere", {}, b"", 404, "There is nothing at /nowhere."),
    ("GET", "/imports/", {}, b"", 404, "There is nothing at /imports/."),
]


@pytest.mark.parametrize(("method", "path", "headers", "body", "status", "said"), SAID)
def test_what_django_refuses_is_said_as_it_is(
    method: str, path: str, headers: dict[str, str], body: bytes, status: int, said: str
) -> None:
    found, content_type, content = answer_to(method, path, headers, body)
    assert (found, content_type) == (status, "application/problem+json")
    problem = json.loads(content)
    errors = (f"{error['field']}: {error['detail']}" for error in problem.get("errors", ()))
    assert said in " ".join([problem["detail"], *errors])


def test_filter_that_a_page_lacks_is_said() -> None:
    User.objects.create_superuser("ada")
    client = Client()
    client.force_login(User.objects.get())
    for query, said in (("password=x", "This page has no such filter."), ("_to_field=x", "`_to_field` names no field")):
        assert said in client.get(f"/admin/auth/user/?{query}").json()["detail"]
