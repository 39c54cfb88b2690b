"""The HTTP contract of counters: the same answers on the hot path and from the DRF twins."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.test import Client
from pytest_django import Settings
from redis.exceptions import ConnectionError as StoreGone

from common.stores import valkey
from common.stores.guarded import TRUTH
from counters.flushing import flush_counters
from counters.types import MAX_VALUE
from gateway.endpoints.hot import hot_endpoints
from gateway.server.app import Gateway
from tests.counters import committed, key_of, pending
from tests.roads import end_threads

pytestmark = committed

CORRELATION_ID = "123e4567-e89b-12d3-a456-426614174000"
KEY = str(key_of(1))
UNKNOWN = str(key_of(9))


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_replayed(self) -> bool:
        return self.headers.get("idempotency-replayed") == "true"


Ask = Callable[..., Answer]
Road = Callable[[str, str, bytes, dict[str, str]], Answer]


@pytest.fixture(autouse=True)
def no_limits(settings: Settings) -> None:
    settings.RATE_LIMIT = "off"


async def _refuse_django(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError(f"{scope['path']} left the hot path")


async def _through_gateway(method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
    gateway = Gateway(_refuse_django, hot_endpoints())
    sent: list[Any] = []
    messages = iter([{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}])

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return next(messages)

    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    raw.append((b"content-length", b"%d" % len(body)))
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": raw}
    await gateway(scope, receive, send)
    end_threads(gateway)
    got = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], b"".join(message["body"] for message in sent[1:]), got)


def hot_path(method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
    return asyncio.run(_through_gateway(method, path, body, headers))


def twin(method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
    answer = Client().generic(method, path, body, content_type="application/json", headers=headers)
    return Answer(answer.status_code, answer.content, {k.lower(): v for k, v in answer.headers.items()})


ROADS: dict[str, Road] = {"hot path": hot_path, "twin": twin}


def on_road(road: Road) -> Ask:
    def ask(method: str, path: str, body: object = b"", **headers: str) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return road(method, path, content, {"X-Correlation-ID": CORRELATION_ID, **named})

    return ask


@pytest.fixture(params=list(ROADS))
def ask(request: pytest.FixtureRequest) -> Ask:
    return on_road(ROADS[request.param])


def increment(value: object = 1, key: str = KEY) -> dict[str, object]:
    return {"key": key, "value": value}


def problem(answer: Answer, status: int, code: str) -> Any:
    assert (answer.status, answer.json["code"]) == (status, code), answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("retry-after" in answer.headers) == (status == 503)
    return answer.json


def fields(answer: Answer) -> list[str]:
    return [error["field"] for error in problem(answer, 400, "invalid-input")["errors"]]


# POST /increment


def test_increment_is_answered_empty_and_counted(ask: Ask) -> None:
    answer = ask("POST", "/increment", increment(5))
    assert (answer.status, answer.body) == (200, b"")
    assert pending() == {1: 5}


def test_value_beyond_doubles_is_exact_from_end_to_end(ask: Ask) -> None:
    for value in (2**53 + 1, MAX_VALUE - 1):
        ask("POST", "/increment", increment(value))
        flush_counters()
    ask("POST", "/increment", increment(3))
    answer = ask("GET", f"/counters/{KEY}")
    assert answer.json["value"] == 2**53 + 1 + MAX_VALUE - 1 + 3
    assert str(answer.json["value"]).encode() in answer.body


def test_full_counter_is_503_until_the_next_flush(ask: Ask) -> None:
    ask("POST", "/increment", increment(MAX_VALUE))
    problem(ask("POST", "/increment", increment()), 503, "counter-full")
    flush_counters()
    assert ask("POST", "/increment", increment()).status == 200


def test_full_backlog_is_503(ask: Ask, settings: Settings) -> None:
    settings.COUNTERS_MAX_PENDING_KEYS = 1
    ask("POST", "/increment", increment())
    problem(ask("POST", "/increment", increment()), 503, "backlog-full")
    problem(ask("POST", "/increments", [increment()]), 503, "backlog-full")
    assert pending() == {1: 1}


STRANGE_BODIES = [
    (b"", ["body"]),
    (b"[]", ["body"]),
    (b'{"key": 1}', ["value", "key"]),
    (b'{"key": "%b", "value": 0}' % KEY.encode(), ["value"]),
    (b'{"key": "{%b}", "value": 1}' % KEY.encode(), ["key"]),
    (b'{"key": "%b", "value": 1, "value": 1}' % KEY.encode(), ["value"]),
    (b'{"\\ud800": 1, "\\ud800": 2}', ["?"]),
    (b'{"key": "%b", "value": 1, "\\udfff": 2}' % KEY.encode(), ["?"]),
    (b"\xff", ["body"]),
    (b"[" * 4_000, ["body"]),
]


def test_strange_bodies_are_400_and_named(ask: Ask) -> None:
    for body, named in STRANGE_BODIES:
        assert fields(ask("POST", "/increment", body)) == named
    assert pending() == {}


def test_body_that_is_too_large_is_413(ask: Ask) -> None:
    problem(ask("POST", "/increment", b" " * 4_097), 413, "body-too-large")
    for size in (2 * 2**20 + 1, 5 * 2**20):  # the latter is beyond what Django takes anywhere
        problem(ask("POST", "/increments", b" " * size), 413, "body-too-large")


def test_store_that_is_down_is_503(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise StoreGone("down")

    monkeypatch.setattr("counters.folding.add_submissions", refuse)
    monkeypatch.setattr("counters.selectors.pending_deltas", refuse)
    problem(ask("POST", "/increment", increment()), 503, "store-unavailable")
    problem(ask("POST", "/increments", [increment()]), 503, "store-unavailable")
    problem(ask("GET", f"/counters/{KEY}"), 503, "store-unavailable")
    TRUTH.is_open = True
    problem(ask("POST", "/increment", increment()), 503, "store-unavailable")


# POST /increments


def test_each_increment_of_many_has_its_own_result(ask: Ask) -> None:
    ask("POST", "/increment", increment(MAX_VALUE))
    other = str(key_of(2))
    answer = ask("POST", "/increments", [increment(2, other), increment(1), increment(3, other)])
    added, refused = {"status": "added"}, {"status": "refused", "code": "counter-full"}
    assert (answer.status, answer.json) == (200, [added, refused, added])
    assert pending() == {1: MAX_VALUE, 2: 5}


def test_increments_name_index_and_field(ask: Ask) -> None:
    items = [increment(), increment(0), increment(key=f"urn:uuid:{KEY}"), 7]
    assert fields(ask("POST", "/increments", items)) == ["[1].value", "[2].key", "[3]"]
    assert fields(ask("POST", "/increments", increment())) == ["body"]
    assert pending() == {}


def test_ten_thousand_increments_are_taken_and_one_more_is_413(ask: Ask) -> None:
    answer = ask("POST", "/increments", [increment(MAX_VALUE // 20_000)] * 10_000)
    assert answer.json == [{"status": "added"}] * 10_000
    assert pending() == {1: MAX_VALUE // 20_000 * 10_000}
    problem(ask("POST", "/increments", [increment()] * 10_001), 413, "too-many-increments")
    assert pending() == {1: MAX_VALUE // 20_000 * 10_000}


# Idempotency-Key


def test_repeat_is_answered_alike_and_counted_once(ask: Ask) -> None:
    first = ask("POST", "/increment", increment(), Idempotency_Key="a")
    again = ask("POST", "/increment", increment(), Idempotency_Key="a")
    assert (first.status, first.body, first.is_replayed) == (200, b"", False)
    assert (again.status, again.body, again.is_replayed) == (200, b"", True)
    flush_counters()
    assert ask("POST", "/increment", increment(), Idempotency_Key="a").is_replayed
    assert ask("GET", f"/counters/{KEY}").json["value"] == 1


def test_key_with_another_body_is_422(ask: Ask) -> None:
    for path, body, other in (
        ("/increment", increment(), increment(2)),
        ("/increments", [increment()], [increment(2)]),
    ):
        ask("POST", path, body, Idempotency_Key="a")
        problem(ask("POST", path, other, Idempotency_Key="a"), 422, "idempotency-key-reused")
    assert pending() == {1: 2}


def test_key_belongs_to_its_route(ask: Ask) -> None:
    ask("POST", "/increment", increment(), Idempotency_Key="a")
    assert not ask("POST", "/increments", [increment()], Idempotency_Key="a").is_replayed


def test_invalid_key_is_400(ask: Ask) -> None:
    for key in ("", " a", "a" * 256, "\xe4", "a\tb"):
        assert fields(ask("POST", "/increment", increment(), Idempotency_Key=key)) == ["Idempotency-Key"]
    assert pending() == {}


def test_refusal_is_not_kept(ask: Ask) -> None:
    assert fields(ask("POST", "/increment", increment(0), Idempotency_Key="a")) == ["value"]
    assert not ask("POST", "/increment", increment(), Idempotency_Key="a").is_replayed


def test_repeat_of_increments_adds_what_was_refused(ask: Ask) -> None:
    ask("POST", "/increment", increment(MAX_VALUE))
    items = [increment(1, str(key_of(2))), increment(1)]
    assert [one["status"] for one in ask("POST", "/increments", items, Idempotency_Key="a").json] == [
        "added",
        "refused",
    ]
    flush_counters()
    again = ask("POST", "/increments", items, Idempotency_Key="a")
    assert [one["status"] for one in again.json] == ["added", "added"]
    assert pending() == {1: 1}


def test_repeat_over_the_other_road_is_a_repeat() -> None:
    hot, drf = map(on_road, ROADS.values())
    assert not hot("POST", "/increment", increment(), Idempotency_Key="a").is_replayed
    assert drf("POST", "/increment", increment(), Idempotency_Key="a").is_replayed
    assert pending() == {1: 1}


# GET /counters/{key}


def test_counter_is_read_with_its_pending_part(ask: Ask) -> None:
    ask("POST", "/increment", increment(5))
    flush_counters()
    ask("POST", "/increment", increment(2))
    answer = ask("GET", f"/counters/{KEY.upper()}")
    as_of = answer.json.pop("as_of")
    assert answer.status == 200
    assert {**answer.json, "as_of": None} == {"key": KEY, "value": 7, "pending": 2, "as_of": None}
    assert as_of.endswith("Z")


def test_unknown_counter_is_404(ask: Ask) -> None:
    for key in (UNKNOWN, str(UUID(int=0))):
        assert key in problem(ask("GET", f"/counters/{key}"), 404, "not-found")["detail"]


def test_key_that_is_no_uuid_is_400(ask: Ask) -> None:
    for key in (KEY.replace("-", ""), f"{{{KEY}}}", f"urn:uuid:{KEY}", "x", f"{KEY} ", KEY[:-1] + "٣"):
        assert fields(ask("GET", f"/counters/{key}")) == ["key"]


# Both roads


def test_both_roads_answer_alike_to_the_last_byte() -> None:
    requests: list[tuple[Any, ...]] = [
        *(("POST", path, body) for path in ("/increment", "/increments") for body, _ in STRANGE_BODIES),
        ("POST", "/increment", increment(MAX_VALUE)),
        ("POST", "/increment", increment()),
        ("POST", "/increments", [increment(), increment(1, str(key_of(2)))]),
        ("POST", "/increments", [{}] * 200),
        ("POST", "/increments", [increment()] * 10_001),
        ("POST", "/increments", b" " * 2_100_000),
        ("GET", f"/counters/{UNKNOWN}"),
        ("GET", "/counters/x"),
    ]
    answers = []
    for road in ROADS.values():
        valkey.truth().flushdb()
        answers.append([sent(on_road(road)(*request)) for request in requests])
    assert answers[0] == answers[1]
    assert {status for status, *_ in answers[0]} == {200, 400, 404, 413, 503}


def sent(answer: Answer) -> tuple[Any, ...]:
    shown = ("content-type", "retry-after", "idempotency-replayed")
    return answer.status, answer.body, [answer.headers.get(name) for name in shown]
