"""The access log: what a line says, which requests have one, and what happens while nobody reads them."""

import asyncio
import json
import threading
from typing import Any

import pytest
from pytest_django import Settings

from gateway.contract.headers import Fields
from gateway.contract.http import Message, Scope
from gateway.errors import Unauthorized
from gateway.keys.apikeys import Keys
from gateway.keys.clients import Client
from gateway.server import accesslog
from gateway.server import app as app_module
from gateway.server.accesslog import PIECE_BYTES, AccessLog
from gateway.server.app import Gateway
from tests.unit.gateway.server.test_app import CORRELATION_ID, DOUBLE, django


def lines(written: list[bytes]) -> list[Any]:
    return [json.loads(line) for line in b"".join(written).splitlines()]


def asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, *requests: tuple[str, str, bytes], mode: str = "on"
) -> list[Any]:
    """Lines about requests of the account ``shop`` through a gateway."""
    written: list[bytes] = []
    settings.ACCESS_LOG, settings.RATE_LIMIT = mode, "off"
    monkeypatch.setattr(accesslog, "_write_to_stderr", written.append)

    async def identified(peer: str, fields: Fields, *, is_public: bool) -> Client:
        if b"authorization" in fields:
            raise Unauthorized
        return Client("192.0.2.1", "shop")

    monkeypatch.setattr(app_module, "identify", identified)

    async def send(message: Message) -> None: ...

    async def run() -> None:
        gateway = Gateway(django, [DOUBLE])
        for method, path, body in requests:
            headers = [(b"content-length", b"%d" % len(body)), (b"correlationid", CORRELATION_ID.encode())]
            headers += [(b"authorization", b"a wrong one")] if path == "/imports" else []
            where, _, query = path.partition("?")
            scope: Scope = {"type": "http", "method": method, "path": where, "query_string": query.encode()}

            async def receive(body: bytes = body) -> Message:
                return {"type": "http.request", "body": body, "more_body": False}

            await gateway({**scope, "headers": headers}, receive, send)
        gateway._access.close()

    asyncio.run(run())
    return lines(written)


def test_line_names_account_template_status_time_size_and_correlation_id(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = asked(settings, monkeypatch, ("POST", "/double", b'{"value": 21}'))
    assert line.pop("timestamp").endswith("Z")
    assert 0 < line.pop("duration_ms") < 5_000
    assert line == {
        "level": "info",
        "logger": "access",
        "event": "request",
        "account": "shop",
        "method": "POST",
        "route": "/double",
        "status": 200,
        "bytes": 15,
        "correlation_id": CORRELATION_ID,
    }


def test_every_answer_has_a_line_without_anything_personal(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [
        ("POST", "/double", b"{"),
        ("GET", "/api/profiles/+4915112345671/transactions", b""),
        ("GET", "/admin/vouchers/voucher/17/change/", b""),
        ("GET", "/no/such/SECRET?a=secret", b""),
        ("GET", "/imports", b""),
        ("BREW", "/imports/3", b""),
        ("GET", "/health/live", b""),
    ]
    found = asked(settings, monkeypatch, *requests)
    assert [(line["method"], line["route"], line["status"], line["account"]) for line in found] == [
        ("POST", "/double", 400, "shop"),
        ("GET", "/api/profiles/{phone_number}/transactions", 299, "shop"),
        ("GET", "/admin/vouchers/voucher/{object_id}/change/", 299, "shop"),
        ("GET", "", 299, "shop"),
        ("GET", "/imports", 401, ""),
        ("-", "/imports/{import_id}", 501, ""),
    ]
    assert not [line for line in found if "4915112345671" in str(line) or "SECRET" in str(line).upper()]


@pytest.mark.parametrize(("mode", "statuses"), [("on", [200, 400, 401]), ("errors", [400, 401]), ("off", [])])
def test_mode_says_which_requests_are_logged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, mode: str, statuses: list[int]
) -> None:
    requests = [("POST", "/double", b'{"value": 21}'), ("POST", "/double", b"{"), ("GET", "/imports", b"")]
    assert [line["status"] for line in asked(settings, monkeypatch, *requests, mode=mode)] == statuses


def add(log: AccessLog, status: int = 200) -> None:
    log.add("shop", "POST", "/increment", status, 0.001, 0, CORRELATION_ID)


def test_pieces_are_whole_lines_that_do_not_mix_with_those_of_other_processes() -> None:
    written: list[bytes] = []
    log = AccessLog("on", written.append)
    for _ in range(1_000):
        add(log)
    log.close()
    assert len(lines(written)) == 1_000
    assert len(written) > 10
    assert all(len(piece) <= PIECE_BYTES and piece.endswith(b"\n") for piece in written)


def test_log_that_nobody_reads_holds_up_nothing_and_tells_what_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accesslog, "MOST_WAITING", 10)
    written: list[bytes] = []
    is_read = threading.Event()

    def write(piece: bytes) -> None:
        assert is_read.wait(10)
        written.append(piece)

    log = AccessLog("on", write)
    add(log)
    log.flush()
    for _ in range(15):
        add(log)
        log.flush()
    is_read.set()
    log.close()
    *told, lost = lines(written)
    assert (len(told), lost["event"], lost["count"]) == (11, "requests_not_logged", 5)


def test_running_gateway_writes_what_was_asked_and_reads_keys(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each second while it serves, and the rest at its end."""
    written: list[bytes] = []
    settings.ACCESS_LOG = "on"
    monkeypatch.setattr(accesslog, "_write_to_stderr", written.append)
    monkeypatch.setattr(accesslog, "FLUSH_SECONDS", 0.01)
    are_read = threading.Event()
    monkeypatch.setattr(Keys, "_read_all", lambda keys: are_read.set())

    async def run() -> None:
        gateway, heard, said = Gateway(django, [DOUBLE]), asyncio.Queue[Message](), asyncio.Queue[Message]()
        life = asyncio.create_task(gateway({"type": "lifespan"}, heard.get, said.put))
        await heard.put({"type": "lifespan.startup"})
        await said.get()
        gateway._access.add("shop", "GET", "/imports", 200, 0.0, 1, CORRELATION_ID)
        async with asyncio.timeout(10):
            while not written:
                await asyncio.sleep(0.01)
        assert await asyncio.to_thread(are_read.wait, 10)
        monkeypatch.setattr(accesslog, "FLUSH_SECONDS", 60.0)
        await asyncio.sleep(0.05)
        gateway._access.add("shop", "GET", "/last", 200, 0.0, 1, CORRELATION_ID)
        await heard.put({"type": "lifespan.shutdown"})
        await life

    asyncio.run(run())
    assert [line["route"] for line in lines(written)] == ["/imports", "/last"]
