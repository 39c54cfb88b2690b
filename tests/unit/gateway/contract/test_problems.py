import json
from collections.abc import Iterator

import pytest
from django.db import OperationalError
from django.http import Http404, HttpResponse
from django.test import RequestFactory
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.exceptions import ParseError, UnsupportedMediaType, ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from common.errors import FieldError, FloodgateError, InvalidInput, Overloaded, Unavailable
from gateway.contract.problems import problem_reply, status_of
from gateway.endpoints.hot import hot_endpoints

CORRELATION_ID = "123e4567-e89b-12d3-a456-426614174000"


def kinds(base: type[FloodgateError] = FloodgateError) -> Iterator[type[FloodgateError]]:
    yield base
    for kind in base.__subclasses__():
        yield from kinds(kind)


def test_every_error_of_the_project_has_a_status_and_a_sentence() -> None:
    hot_endpoints()  # loads the apps, and their errors with them
    found = set(kinds())
    assert len(found) > 8
    assert {kind.code for kind in found if status_of(kind) == 500} == {"internal-error", "workers-killed"}  # type: ignore[arg-type]
    assert [kind for kind in found if not kind.default_detail.endswith(".")] == []


def test_a_problem_has_the_members_of_rfc_9457() -> None:
    reply = problem_reply(InvalidInput(FieldError("key", "Must be a UUID.")), CORRELATION_ID)
    assert (reply.status, reply.content_type) == (400, b"application/problem+json")
    assert json.loads(reply.body) == {
        "type": "urn:floodgate:problem:invalid-input",
        "title": "Bad Request",
        "status": 400,
        "detail": InvalidInput.default_detail,
        "code": "invalid-input",
        "correlation_id": CORRELATION_ID,
        "errors": [{"field": "key", "detail": "Must be a UUID."}],
    }


@pytest.mark.parametrize("kind", [Unavailable, Overloaded])
def test_what_may_be_tried_again_says_when(kind: type[Unavailable]) -> None:
    assert (b"retry-after", b"1") in problem_reply(kind(), CORRELATION_ID).headers


def handled(exc: Exception, method: str = "get") -> HttpResponse:
    """What a DRF view that raises ``exc`` in its GET answers."""

    class Raising(APIView):
        def get(self, request: Request) -> HttpResponse:
            raise exc

    request = getattr(RequestFactory(), method)("/", headers={"X-Correlation-ID": CORRELATION_ID})
    response = Raising.as_view()(request)
    assert isinstance(response, HttpResponse)
    assert response["content-type"] == "application/problem+json"
    assert json.loads(response.content)["correlation_id"] == CORRELATION_ID
    return response


@pytest.mark.parametrize(
    ("exc", "status", "code"),
    [
        (Overloaded(), 503, "overloaded"),
        (OperationalError("connection refused"), 503, "store-unavailable"),
        (RedisConnectionError(), 503, "store-unavailable"),
        (Http404(), 404, "not-found"),
        (UnsupportedMediaType("text/x"), 415, "unsupported-media-type"),
    ],
)
def test_drf_answers_with_the_same_problems(exc: Exception, status: int, code: str) -> None:
    response = handled(exc)
    assert (response.status_code, json.loads(response.content)["code"]) == (status, code)


def test_nested_field_errors_become_a_flat_list() -> None:
    response = handled(ValidationError({"rows": {"price": ["Too low.", "Too odd."]}, "id": ["Required."]}))
    assert json.loads(response.content)["errors"] == [
        {"field": "rows.price", "detail": "Too low."},
        {"field": "rows.price", "detail": "Too odd."},
        {"field": "id", "detail": "Required."},
    ]


def test_body_that_cannot_be_parsed_is_named() -> None:
    problem = json.loads(handled(ParseError("JSON parse error")).content)
    assert problem["errors"] == [{"field": "body", "detail": "JSON parse error"}]


def test_a_wrong_method_names_the_right_ones() -> None:
    response = handled(ValueError(), method="put")
    assert response.status_code == 405
    assert response["allow"] == "GET, HEAD, OPTIONS"


def test_a_defect_is_left_to_the_500_page() -> None:
    with pytest.raises(ValueError, match="defect"):
        handled(ValueError("defect"))
