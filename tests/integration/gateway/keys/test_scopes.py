"""Every address with every kind of key: which scope it needs, and what it says without."""

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.core.checks import run_checks
from django.test import Client
from django.urls import path
from django.utils import timezone
from django.views.defaults import permission_denied
from pytest_django import Settings

from gateway.endpoints import addresses
from gateway.endpoints.hot import hot_endpoints
from gateway.keys import clients
from gateway.keys.apikeys import Keys, create_api_key
from gateway.keys.scopes import KeyScope
from gateway.models import ApiKey
from gateway.operate.health import health_routes
from gateway.server.app import Gateway
from gateway.views.strictview import StrictView
from tests.roads import end_threads

pytestmark = pytest.mark.django_db(transaction=True)

NEEDED = {
    "read": """
        GET /promotions
        GET /promotions/{id}
        GET /promotions/versions
        GET /imports
        GET /imports/{import_id}
        GET /imports/{import_id}/rejects
        GET /counters/{key}
        GET /api/vouchers
        GET /api/vouchers/generate/{generation_id}
        GET /api/profiles/{phone_number}
        GET /api/profiles/{phone_number}/transactions
        GET /api/v1/timestamp/{timestamp}
        GET /rates
        GET /rates_null
        GET /rates/batches/{batch_id}
        GET /rates/batches/{batch_id}/errors
    """,
    "promotions:write": "POST /process-csv",
    "counters:write": """
        POST /increment
        POST /increments
    """,
    "vouchers:redeem": "POST /api/vouchers/redeem",
    "vouchers:admin": """
        POST /api/vouchers
        POST /api/vouchers/generate
        GET /api/vouchers/generate/{generation_id}/codes
        GET /api/vouchers/report
        POST /api/vouchers/redemptions/{redemption_id}/reverse
    """,
    "wallet:admin": """
        POST /api/profiles
        POST /api/transactions
        POST /api/wallet/orders
        POST /api/wallet/transfers
        POST /api/wallet/profiles
        GET /api/wallet/profiles/{phone_number}/transactions
    """,
    "timestamps:write": """
        POST /api/v1/timestamp
        POST /api/v1/timestamp/{timestamp}
        POST /api/v1/timestamps
        POST /app
    """,
    "rates:write": """
        POST /rates
        POST /rates/batches
    """,
    "operate": """
        POST /imports/{import_id}/cancel
        POST /promotions/versions/{number}/activate
        POST /api/vouchers/generate/{generation_id}/cancel
        POST /rates/batches/{batch_id}/cancel
    """,
}
ROUTES = [(*line.split(), scope) for scope, lines in NEEDED.items() for line in lines.strip().splitlines()]
PUBLIC = ["/", "/docs", "/openapi.json", "/admin/", "/admin/login/", "/admin/gateway/apikey/", "/static/gateway/x.js"]
SAMPLES = {"key": "x", "id": "x", "timestamp": "x", "phone_number": "x", "redemption_id": "x"}


class Answer(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture(autouse=True)
def required(settings: Settings) -> None:
    settings.API_KEYS_REQUIRED = True
    settings.RATE_LIMIT = "off"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    keys = Keys()
    monkeypatch.setattr(clients, "KEYS", keys)
    yield keys
    keys._thread.shutdown()


async def _django(scope: Any, receive: Any, send: Any) -> None:
    """Says that it was asked."""
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def ask_all(requests: list[tuple[str, str]], key: str = "", *, hot_path: bool = True) -> list[Answer]:
    """With a body that no address takes, so that whoever is let in does nothing."""

    async def run() -> list[Answer]:
        gateway = Gateway(_django, hot_endpoints(), hot_path=hot_path)
        answers = [await _ask(gateway, method, template, key) for method, template in requests]
        end_threads(gateway)
        return answers

    return asyncio.run(run())


async def _ask(gateway: Gateway, method: str, template: str, key: str) -> Answer:
    where = re.sub(r"\{(\w+)\}", lambda found: SAMPLES.get(found[1], "1"), template)
    headers = [(b"authorization", f"Bearer {key}".encode())] if key else []
    scope = {"type": "http", "method": method, "path": where, "raw_path": where.encode(), "query_string": b""}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"?", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await gateway({**scope, "headers": headers, "client": ("203.0.113.9", 1)}, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], dict(sent[0]["headers"]), body)


def make(scopes: set[KeyScope], **more: Any) -> str:
    return create_api_key("shop", scopes, **more).key


def routes() -> list[tuple[str, str]]:
    return [(method, template) for method, template, _ in ROUTES]


def test_table_has_every_address() -> None:
    described = Client().get("/openapi.json").json()["paths"]
    found = {(method.upper(), template) for template, methods in described.items() for method in methods}
    assert sorted(found) == sorted(routes())
    assert addresses.undeclared() == []


@pytest.mark.parametrize("hot_path", [True, False])
def test_no_address_answers_without_a_key_that_is_valid(hot_path: bool) -> None:
    revoked, expired = make(set(KeyScope)), make(set(KeyScope), expires_at=timezone.now() + timedelta(seconds=30))
    ApiKey.objects.filter(prefix=revoked[:7]).update(revoked_at=timezone.now())
    ApiKey.objects.filter(prefix=expired[:7]).update(expires_at=timezone.now())
    for key in ("", "fg_unknown", revoked, expired):
        for route, answer in zip(routes(), ask_all(routes(), key, hot_path=hot_path), strict=True):
            assert (answer.status, answer.json["code"]) == (401, "unauthorized"), route
            assert answer.headers[b"content-type"] == b"application/problem+json"
            challenge = answer.headers[b"www-authenticate"]
            assert challenge.startswith(b'Bearer realm="floodgate"')
            assert (b'error="invalid_token"' in challenge) == bool(key)


@pytest.mark.parametrize("hot_path", [True, False])
@pytest.mark.parametrize("scope", [*KeyScope])
def test_address_answers_to_its_scope_only(scope: KeyScope, hot_path: bool) -> None:
    has_it, has_all_others = make({scope}), make(set(KeyScope) - {scope})
    mine = [(method, template) for method, template, needed in ROUTES if needed == scope]
    hot = {(endpoint.method, endpoint.path) for endpoint in hot_endpoints()} if hot_path else set()
    for route, answer in zip(routes(), ask_all(routes(), has_it, hot_path=hot_path), strict=True):
        assert answer.status == ((400 if route in hot else 299) if route in mine else 403), (route, answer)
    for route, answer in zip(mine, ask_all(mine, has_all_others, hot_path=hot_path), strict=True):
        assert (answer.status, answer.json["code"], answer.json["scope"]) == (403, "insufficient-scope", scope), route
        assert f"`{scope}`" in answer.json["detail"]
        assert answer.headers[b"www-authenticate"].endswith(f'error="insufficient_scope", scope="{scope}"'.encode())
        assert answer.headers[b"content-type"] == b"application/problem+json"


def test_head_needs_what_get_needs_and_a_method_that_is_not_there_is_djangos_to_refuse() -> None:
    key = make({KeyScope.OPERATE})
    reads = [("HEAD", template) for method, template, needed in ROUTES if (method, needed) == ("GET", "read")]
    assert {answer.status for answer in ask_all(reads, key)} == {403}
    assert {answer.status for answer in ask_all([("DELETE", "/imports"), ("OPTIONS", "/imports")], key)} == {299}
    assert {answer.status for answer in ask_all([("GET", "/no/such/address")], key)} == {299}
    assert {answer.status for answer in ask_all([("GET", "/no/such/address"), ("OPTIONS", "/imports")])} == {401}


@pytest.mark.parametrize(
    "spelled", ["/%69mports/1/cancel", "/imports/1/c%61ncel", "/imports/1%2Fcancel", "/imports/%31/cancel"]
)
def test_no_spelling_of_an_address_gets_around_its_scope(spelled: str) -> None:
    assert ask_all([("POST", spelled)], make({KeyScope.READ}))[0].status == 403


def test_public_addresses_and_watching_need_no_key() -> None:
    assert {answer.status for answer in ask_all([("GET", where) for where in PUBLIC])} == {299}
    watching = [*health_routes(), "/metrics"]
    assert all(answer.status in (200, 204, 503) for answer in ask_all([("GET", where) for where in watching]))


@pytest.mark.parametrize("hot_path", [True, False])
def test_whoever_has_no_key_may_do_all_where_keys_are_optional(settings: Settings, hot_path: bool) -> None:
    settings.API_KEYS_REQUIRED = False
    assert not {answer.status for answer in ask_all(routes(), hot_path=hot_path)} & {401, 403}
    assert ask_all([("POST", "/process-csv")], make({KeyScope.READ}))[0].status == 403


class Undeclared(StrictView):
    scopes = {"get": KeyScope.READ}

    def get(self) -> None: ...
    def post(self) -> None: ...


urlpatterns = [path("things/<int:number>", Undeclared.as_view()), path("plain", permission_denied)]


def test_address_that_declares_nothing_is_an_error(settings: Settings) -> None:
    assert [error for error in run_checks() if error.id == "floodgate.E005"] == []
    settings.ROOT_URLCONF = __name__
    found = [error.msg for error in run_checks() if error.id == "floodgate.E005"]
    assert len(found) == 6  # one for each method of the plain view
    assert found[0].startswith("POST /things/{number} names no scope")
