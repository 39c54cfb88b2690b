"""The HTTP contract of timestamps: the same answers on the hot path and from the DRF twins."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from pytest_django import Settings

from tests.roads import Answer, django, hot_path
from tests.timestamps import committed
from timestamps.consumer.consuming import consume_log
from timestamps.instants import canonical_instant

pytestmark = committed

Road = Callable[..., Answer]
on_both_roads = pytest.mark.parametrize("road", [hot_path, django])
ONE = "/api/v1/timestamp"
MANY = "/api/v1/timestamps"


@pytest.fixture(autouse=True)
def no_limits(settings: Settings) -> None:
    settings.RATE_LIMIT = "off"


def fields_of(answer: Answer) -> list[str]:
    return [error["field"] for error in answer.json["errors"]]


@on_both_roads
@pytest.mark.parametrize("text", ["2018-08-04T05:32:31.5+02:00", "2018-08-04t03:32:31.500000z"])
def test_an_instant_comes_back_in_utc_under_the_id_of_the_ticket(road: Road, text: str) -> None:
    ticket = road("POST", f"{ONE}/{text}")
    assert ticket.status == 200
    assert ticket.headers["location"] == f"{ONE}/{ticket.json['id']}"
    read = road("GET", ticket.headers["location"])
    assert read.status == 200
    assert read.json == {
        "id": ticket.json["id"],
        "command_id": ticket.json["id"],
        "event_timestamp": "2018-08-04T03:32:31.500000Z",
        "created_at": None,
    }
    consume_log()
    persisted = road("GET", ticket.headers["location"]).json
    assert persisted["event_timestamp"] == "2018-08-04T03:32:31.500000Z"
    assert canonical_instant(persisted["created_at"]) == persisted["created_at"]


def test_a_percent_encoded_plus_is_a_plus_for_django() -> None:
    ticket = django("POST", f"{ONE}/2018-08-04T05:32:31%2B02:00")
    assert django("GET", ticket.headers["location"]).json["event_timestamp"] == "2018-08-04T03:32:31Z"


@on_both_roads
@pytest.mark.parametrize("path", ["/app", ONE])
def test_without_an_instant_it_is_now(road: Road, path: str) -> None:
    for body in (b"", b"{}", b'""', b"null", b"[]"):
        ticket = road("POST", path, body)
        assert ticket.status == 200
        assert road("GET", ticket.headers["location"]).json["event_timestamp"].startswith("20")


@on_both_roads
@pytest.mark.parametrize("path", ["/app", ONE, f"{ONE}/2018-08-04T05:32:31Z"])
def test_an_instant_in_the_body_is_not_passed_over(road: Road, path: str) -> None:
    answer = road("POST", path, {"timestamp": "2018-08-04T05:32:31Z"})
    assert answer.status == 400
    assert fields_of(answer) == ["body"]


@on_both_roads
def test_what_is_no_instant_is_400(road: Road) -> None:
    answer = road("POST", f"{ONE}/2016-12-31T23:59:60Z")
    assert answer.status == 400
    assert "leap second" in answer.json["errors"][0]["detail"]
    assert fields_of(answer) == ["timestamp"]


@on_both_roads
def test_many_instants_are_appended_in_their_order(road: Road) -> None:
    instants = [f"2018-08-04T05:32:{second:02d}Z" for second in range(60)]
    tickets = road("POST", MANY, instants)
    assert tickets.status == 200
    consume_log()
    assert [road("GET", f"{ONE}/{ticket['id']}").json["event_timestamp"] for ticket in tickets.json] == instants


@on_both_roads
def test_one_wrong_instant_refuses_the_whole_array(road: Road) -> None:
    answer = road("POST", MANY, ["2018-08-04T05:32:31Z", "yesterday", "2018-08-04T05:32:31Z", 7, None])
    assert answer.status == 400
    assert fields_of(answer) == ["[1]", "[3]", "[4]"]
    assert consume_log() == 0


@on_both_roads
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'"2018-08-04T05:32:31Z"', b"[", b"\xff"])
def test_a_body_that_is_no_array_of_instants_is_400(road: Road, body: bytes) -> None:
    answer = road("POST", MANY, body)
    assert answer.status == 400
    assert fields_of(answer) == ["body"]


@on_both_roads
def test_more_than_10_000_are_413(road: Road) -> None:
    assert road("POST", MANY, ["2018-08-04T05:32:31Z"] * 10_001).status == 413


@on_both_roads
@pytest.mark.parametrize(("path", "body"), [("/app", b""), (f"{ONE}/2018-08-04T05:32:31Z", b""), (MANY, None)])
def test_a_repeat_with_its_key_is_appended_once(road: Road, path: str, body: bytes | None) -> None:
    content = ["2018-08-04T05:32:31Z"] * 3 if body is None else body
    first = road("POST", path, content, idempotency_key="one")
    again = road("POST", path, content, idempotency_key="one")
    assert again.json == first.json
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert consume_log() == (3 if body is None else 1)


@on_both_roads
def test_a_key_with_another_instant_is_422(road: Road) -> None:
    road("POST", f"{ONE}/2018-08-04T05:32:31Z", idempotency_key="one")
    assert road("POST", f"{ONE}/2018-08-04T05:32:32Z", idempotency_key="one").status == 422


@on_both_roads
def test_a_full_log_is_503_and_takes_no_part_of_an_array(road: Road, settings: Settings) -> None:
    settings.TIMESTAMPS_MAX_BACKLOG = 3
    assert road("POST", MANY, ["2018-08-04T05:32:31Z"] * 2).status == 200
    refused = road("POST", MANY, ["2018-08-04T05:32:31Z"] * 2)
    assert refused.status == 503
    assert refused.json["code"] == "backlog-full"
    assert int(refused.headers["retry-after"]) > 0
    assert road("POST", "/app").status == 200
    assert consume_log() == 3


@on_both_roads
def test_too_many_keys_refuse_only_requests_with_a_key(road: Road, settings: Settings) -> None:
    settings.TIMESTAMPS_MAX_MARKS = 1
    assert road("POST", "/app", idempotency_key="one").status == 200
    assert road("POST", "/app", idempotency_key="two").json["code"] == "too-many-marks"
    assert road("POST", "/app", idempotency_key="one").status == 200
    assert road("POST", "/app").status == 200


@on_both_roads
@pytest.mark.parametrize(
    ("path", "body"), [("/app", b""), (ONE, b""), (f"{ONE}/2018-08-04T05:32:31Z", b""), (MANY, None)]
)
def test_what_is_in_a_query_is_not_passed_over(road: Road, path: str, body: bytes | None) -> None:
    content = ["2018-08-04T05:32:31Z"] if body is None else body
    answer = road("POST", f"{path}?timestamp=2018-08-04T05:32:31Z", content)
    assert answer.status == 400
    assert fields_of(answer) == ["timestamp"]
    assert consume_log() == 0


@on_both_roads
def test_a_question_with_a_parameter_that_there_is_not_is_400(road: Road) -> None:
    answer = road("GET", f"{ONE}/{uuid4()}?wait=1&wiat=2")
    assert answer.status == 400
    assert fields_of(answer) == ["wiat"]


@on_both_roads
def test_an_id_that_nobody_got_is_404(road: Road) -> None:
    assert road("GET", f"{ONE}/{uuid4()}").status == 404


@on_both_roads
def test_what_is_no_id_is_400(road: Road) -> None:
    answer = road("GET", f"{ONE}/12345")
    assert answer.status == 400
    assert fields_of(answer) == ["id"]


@on_both_roads
@pytest.mark.parametrize("zero", ["0", "-0", "-0.0", "0.00"])
def test_a_wait_of_zero_has_no_sign(road: Road, zero: str) -> None:
    assert road("GET", f"{ONE}/{uuid4()}?wait={zero}").status == 404


@on_both_roads
@pytest.mark.parametrize("query", ["wait=", "wait=-1", "wait=10.1", "wait=11", "wait=x", "wait=1&wait=1", "wait=1e1"])
def test_a_wait_that_is_no_number_of_seconds_up_to_10_is_400(road: Road, query: str) -> None:
    answer = road("GET", f"{ONE}/{uuid4()}?{query}")
    assert answer.status == 400
    assert fields_of(answer) == ["wait"]
