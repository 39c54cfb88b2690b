"""Django's requests while a store hangs, while one is slow, and while others have all the threads."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from pytest_django import Settings

from common.stores.circuits import Circuit
from common.stores.guarded import READ_STORE, WRITE_STORE
from gateway.contract.spool import new_spool
from gateway.endpoints.addresses import address_of, template_of
from gateway.endpoints.hot import hot_endpoints
from gateway.server import bridge, hangs
from gateway.server.bridge import WSGIBridge, split_threads
from gateway.server.environ import wsgi_environ
from tests.unit.gateway.server.test_bridge import Client, StartResponse, no_body, scope


class Store:
    """Answers probes, or hangs."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self.probes = 0

    def probe(self) -> None:
        self.probes += 1
        self.answers.wait(30)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Iterator[Store]:
    store = Store()
    settings.SPOOL_DIR = tmp_path
    monkeypatch.setattr(WRITE_STORE, "probe", store.probe)
    monkeypatch.setattr(READ_STORE, "probe", store.probe)
    hangs.of_django.cache_clear()
    yield store
    store.answers.set()
    hangs.of_django.cache_clear()


class App:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.calls = 0

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        self.calls += 1
        self.goes_on.wait(30)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"fine"]


class PeopleWait(App):
    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        if environ["PATH_INFO"].startswith("/admin/"):
            return super().__call__(environ, start_response)
        start_response("200 OK", [])
        return []


async def asked(answering: WSGIBridge, path: str) -> tuple[int, float, str]:
    """Status, seconds and the code of a problem."""
    client, started = Client(), time.monotonic()
    await answering(scope(path=path, raw_path=path.encode()), no_body, client.send)
    is_problem = any(value == b"application/problem+json" for _, value in client.sent[0]["headers"])
    return client.status, time.monotonic() - started, json.loads(client.body)["code"] if is_problem else ""


def run(app: App, scenario: Callable[[WSGIBridge], Coroutine[Any, Any, None]]) -> None:
    """And let all threads end."""

    async def whole() -> None:
        answering = WSGIBridge(app)
        await scenario(answering)
        app.goes_on.set()
        while answering._calls:
            await asyncio.sleep(0.01)

    asyncio.run(whole())


@pytest.mark.parametrize("path", ["/imports", "/admin/", "/api/vouchers/report", "/process-csv"])
def test_request_whose_store_hangs_is_refused_within_two_seconds_and_the_next_at_once(store: Store, path: str) -> None:
    app = App()
    store.answers.clear()

    async def scenario(answering: WSGIBridge) -> None:
        first = await asked(answering, path)
        assert (first[0], first[2]) == (503, "store-unavailable")
        assert first[1] < 1.9
        assert not WRITE_STORE.is_open  # of the hot path, which may have had no trouble
        status, seconds, _ = await asked(answering, path)
        assert (status, app.calls) == (503, 1)
        assert seconds < 0.3
        assert (await asked(answering, "/admin/login/"))[0] == 503
        app.goes_on.set()
        assert (await asked(answering, "/"))[0] == 200  # the console needs no store
        store.answers.set()
        for _ in range(50):
            await asyncio.sleep(0.1)
            if (await asked(answering, path))[0] == 200:
                break
        assert (await asked(answering, path))[0] == 200

    run(app, scenario)


def test_slow_page_whose_store_answers_is_not_cut(store: Store) -> None:
    app = App()

    async def scenario(answering: WSGIBridge) -> None:
        page = asyncio.create_task(asked(answering, "/admin/"))
        await asyncio.sleep(2.5)
        app.goes_on.set()
        assert (await page)[0] == 200

    run(app, scenario)
    assert store.probes >= 2


def test_store_that_begins_to_hang_later_is_noticed_too(store: Store) -> None:
    app = App()

    async def scenario(answering: WSGIBridge) -> None:
        page = asyncio.create_task(asked(answering, "/imports"))
        await asyncio.sleep(1.0)
        store.answers.clear()
        hung_at = time.monotonic()
        assert (await page)[0] == 503
        assert time.monotonic() - hung_at < 1.9

    run(app, scenario)


def test_many_that_wait_ask_the_store_once(store: Store) -> None:
    app = App()
    store.answers.clear()

    async def scenario(answering: WSGIBridge) -> None:
        answers = await asyncio.gather(*(asked(answering, "/imports") for _ in range(6)))
        assert {(status, code) for status, _, code in answers} == {(503, "store-unavailable")}
        assert max(seconds for _, seconds, _ in answers) < 1.9

    run(app, scenario)
    store.answers.set()
    hangs._thread(WRITE_STORE).submit(lambda: None).result(10)
    assert store.probes <= 3  # and the circuit's


def test_store_that_fails_at_once_is_for_the_request_itself_to_notice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App()

    def refuse() -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(WRITE_STORE, "probe", refuse)

    async def scenario(answering: WSGIBridge) -> None:
        page = asyncio.create_task(asked(answering, "/imports"))
        await asyncio.sleep(1.5)
        app.goes_on.set()
        assert (await page)[0] == 200

    run(app, scenario)


def test_open_circuit_of_the_hot_path_refuses_djangos_requests_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WRITE_STORE, "is_open", True)
    app = App()
    app.goes_on.set()

    async def scenario(answering: WSGIBridge) -> None:
        assert (await asked(answering, "/imports"))[0] == 503
        assert (await asked(answering, "/docs"))[0] == 200

    run(app, scenario)


def test_request_that_needs_no_answer_of_its_store_is_asked_and_does_not_wait_longer(store: Store) -> None:
    app = App()
    store.answers.clear()

    async def scenario(answering: WSGIBridge) -> None:
        for calls in (1, 2):  # the cache may know the next one
            client, started = Client(), time.monotonic()
            await answering(scope(method="HEAD", path="/promotions/x", raw_path=b"/promotions/x"), no_body, client.send)
            assert (client.status, app.calls) == (503, calls)
            assert time.monotonic() - started < 1.9

    run(app, scenario)


def test_pages_without_a_store_wait_for_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "PERMIT_WAIT_SECONDS", 0.2)
    app = PeopleWait()

    async def scenario(answering: WSGIBridge) -> None:
        crowd = [asyncio.create_task(asked(answering, "/admin/login/")) for _ in range(24)]
        await asyncio.sleep(0.4)
        pages = [asked(answering, path) for path in ("/", "/docs", "/openapi.json", "/static/gateway/console.js") * 3]
        assert {status for status, _, _ in await asyncio.gather(*pages)} == {200}
        app.goes_on.set()
        await asyncio.gather(*crowd)

    run(app, scenario)


def test_false_alarm_closes_nothing_of_the_hot_path() -> None:
    circuits = {endpoint.store for endpoint in hot_endpoints()}
    assert not circuits & set(map(hangs.of_django, circuits))


@pytest.mark.parametrize(
    ("raw", "template"),
    [
        (b"/imports/7", "/imports/{import_id}"),
        (b"/%69mports/7", "/imports/{import_id}"),
        (b"/imports%2F7", "/imports/{import_id}"),
        (b"/imports/7%3F", ""),
        (b"/api/profiles/%ff", "/api/profiles/{phone_number}"),
        (b"/static/x%ff", "/static/{path}"),
        (b"/imports//7", ""),
    ],
)
def test_address_is_found_by_the_path_that_django_sees(raw: bytes, template: str) -> None:
    given = scope(path="/something/else", raw_path=raw)
    assert address_of(given).template == template
    with new_spool() as body:
        seen = WSGIRequest(wsgi_environ(given, body, 0)).path_info
    if not seen.startswith("/static/"):
        assert address_of(scope(path=seen, raw_path=None)).template == template


@pytest.mark.parametrize(
    ("route", "template"),
    [
        ("imports/<int:import_id>/cancel", "/imports/{import_id}/cancel"),
        ("admin/^(?P<app_label>auth|gateway)/$", "/admin/{app_label}/"),
        ("admin/(?P<url>.*)$", "/admin/{url}"),
    ],
)
def test_template_names_what_differs(route: str, template: str) -> None:
    assert template_of(route) == template


def test_people_and_machines_have_threads_of_their_own(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "PERMIT_WAIT_SECONDS", 0.2)
    app = PeopleWait()

    async def scenario(answering: WSGIBridge) -> None:
        crowd = [asyncio.create_task(asked(answering, "/admin/login/")) for _ in range(24)]
        await asyncio.sleep(0.4)
        answers = await asyncio.gather(*(asked(answering, "/imports") for _ in range(24)))
        assert {status for status, _, _ in answers} == {200}
        app.goes_on.set()
        assert {answer[0] for answer in await asyncio.gather(*crowd)} == {200, 503}

    run(app, scenario)


@pytest.mark.parametrize(("threads", "parted"), [(8, (2, 6)), (1, (1, 1)), (3, (1, 2)), (16, (4, 12))])
def test_a_quarter_of_the_threads_is_for_people(threads: int, parted: tuple[int, int]) -> None:
    assert split_threads(threads) == parted


@pytest.mark.parametrize(
    ("method", "path", "stores"),
    [
        ("GET", "/", ()),
        ("GET", "/docs", ()),
        ("GET", "/static/x.css", ()),
        ("GET", "/no/such", ()),
        ("GET", "/admin/", (WRITE_STORE,)),
        ("GET", "/admin/promotions/version/find/", (WRITE_STORE, READ_STORE)),
        ("POST", "/promotions/versions/3/activate", (WRITE_STORE, READ_STORE)),
        ("GET", "/imports", (WRITE_STORE,)),
        ("POST", "/rates", (WRITE_STORE,)),
        ("HEAD", "/promotions/x", (READ_STORE,)),
    ],
)
def test_address_waits_for_the_stores_that_it_needs(method: str, path: str, stores: tuple[Circuit, ...]) -> None:
    assert address_of({"method": method, "path": path}).stores == stores
