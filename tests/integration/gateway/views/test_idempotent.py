"""A DRF view with an Idempotency-Key: one effect, one answer, over real connections. Its effect is a row."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from pytest_django import Settings
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.errors import FieldError, InvalidInput
from gateway.models import ApiKey, IdempotencyRecord
from gateway.views.idempotent import idempotent
from gateway.views.kept import sweep_expired_answers

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "9b2e4f0a-once"
FACTORY = RequestFactory()


def leave_a_row(request: Request) -> Response:
    number = ApiKey.objects.count() + 1
    ApiKey.objects.create(name=f"row-{number}", digest=b"%d" % number, prefix="")
    transaction.on_commit(lambda: committed.append(number))
    return Response({"number": number, "text": "ä"}, status=201, headers={"Location": f"/rows/{number}"})


handle: Callable[[Request], Response] = leave_a_row
committed: list[int] = []


class RowView(APIView):
    parser_classes = [FormParser, MultiPartParser, JSONParser]

    @idempotent
    def post(self, request: Request) -> Response:
        return handle(request)


class BodylessView(APIView):
    parser_classes = []

    @idempotent
    def post(self, request: Request) -> Response:
        return handle(request)


@pytest.fixture(autouse=True)
def plain_handler() -> Iterator[None]:
    global handle
    committed.clear()
    yield
    handle = leave_a_row


def handled_by(handler: Callable[[Request], Response]) -> None:
    global handle
    handle = handler


def post(data: Any = None, key: str | None = KEY, *, path: str = "/rows", account: str = "", **kwargs: Any) -> Any:
    kwargs.setdefault("content_type", "application/json")
    headers = {"X-Floodgate-Account": account} | ({} if key is None else {"Idempotency-Key": key})
    return send(FACTORY.post(path, {"a": 1} if data is None else data, headers=headers, **kwargs))


def send(request: HttpRequest, view: type[APIView] = RowView) -> Any:
    with closing(request):  # as the server does, with its uploads
        response = view.as_view()(request)
        return response.render() if hasattr(response, "render") else response


def rows() -> int:
    return ApiKey.objects.count()


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, json.loads(answer.content)["code"]


def is_replay(answer: Any) -> bool:
    return bool(answer.headers.get("Idempotency-Replayed") == "true")


def test_repeat_gets_the_same_answer_and_does_nothing() -> None:
    first, second = post(), post()
    assert (first.status_code, first.headers["Location"], first.content) == (
        201,
        "/rows/1",
        '{"number":1,"text":"ä"}'.encode(),
    )
    assert not is_replay(first)
    assert second.content == first.content
    assert second.status_code == 201
    assert dict(second.headers) == {**first.headers, "Idempotency-Replayed": "true"}
    assert (rows(), committed) == (1, [1])


def test_answer_is_that_of_a_request_without_a_key() -> None:
    plain = post(key=None)
    ApiKey.objects.all().delete()
    keyed = post()
    assert (keyed.status_code, keyed.content, dict(keyed.headers)) == (201, plain.content, dict(plain.headers))


def test_without_a_key_every_request_counts() -> None:
    post(key=None)
    post(key=None)
    assert rows() == 2
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 256, " ", "a\tb", "é"])
def test_impossible_key_is_400(key: str) -> None:
    answer = post(key=key)
    assert problem(answer) == (400, "invalid-input")
    assert json.loads(answer.content)["errors"][0]["field"] == "Idempotency-Key"
    assert rows() == 0


def test_longest_key_is_taken() -> None:
    assert post(key="x" * 255).status_code == 201
    assert is_replay(post(key="x" * 255))


@pytest.mark.parametrize(
    "other",
    [
        {"data": {"a": 2}},
        {"data": {"a": "1"}},
        {"data": [1]},
        {"path": "/rows?x=1"},
        {"data": "a=1", "content_type": "application/x-www-form-urlencoded"},
    ],
)
def test_same_key_with_another_request_is_422(other: dict[str, Any]) -> None:
    post()
    assert problem(post(**other)) == (422, "idempotency-key-reused")
    assert rows() == 1


def test_order_of_fields_is_no_difference() -> None:
    post({"a": 1, "b": [1, 2]})
    assert is_replay(post('{ "b": [1, 2], "a": 1 }'))


def test_keys_belong_to_accounts_and_routes() -> None:
    post(account="shop")
    assert not is_replay(post(account="warehouse"))
    assert not is_replay(post(path="/others"))
    assert is_replay(post(account="shop"))
    assert rows() == 3


def upload(content: bytes, boundary: str, *, name: str = "a.csv", field: str = "file", note: str = "x") -> HttpRequest:
    """A multipart request with a boundary of its own."""
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="note"\r\n\r\n{note}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    ).encode() + content
    content_type = f"multipart/form-data; boundary={boundary}"
    return FACTORY.post(
        "/rows", body + f"\r\n--{boundary}--\r\n".encode(), content_type, headers={"Idempotency-Key": KEY}
    )


@pytest.mark.parametrize("size", [10, 3_000_000], ids=["in memory", "on disk"])
def test_upload_again_with_another_boundary_is_a_repeat(size: int) -> None:
    content = b"x" * size
    handled_by(lambda request: Response({"size": len(request.FILES["file"].read())}))
    first, second = send(upload(content, "first")), send(upload(content, "second"))
    assert json.loads(first.content) == {"size": size}
    assert is_replay(second)
    assert second.content == first.content


@pytest.mark.parametrize(
    "other", [{"content": b"1,3"}, {"name": "b.csv"}, {"field": "other"}, {"note": "y"}, {"content": b""}]
)
def test_other_upload_with_the_same_key_is_422(other: dict[str, Any]) -> None:
    send(upload(b"1,2", "first"))
    assert problem(send(upload(**{"content": b"1,2", "boundary": "second", **other}))) == (
        422,
        "idempotency-key-reused",
    )


def test_view_without_a_body_ignores_one() -> None:
    form = "application/x-www-form-urlencoded"
    asked = [FACTORY.post("/rows", "a=1", content_type=form, headers={"Idempotency-Key": KEY}) for _ in range(2)]
    assert [is_replay(send(request, BodylessView)) for request in asked] == [False, True]


def test_malformed_body_is_400_and_leaves_the_key_free() -> None:
    assert post("{").status_code == 400
    assert post().status_code == 201


# What is not kept


def refuse(request: Request) -> Response:
    leave_a_row(request)
    raise InvalidInput(FieldError("a", "Must be 2."))


def refuse_by_status(request: Request) -> Response:
    leave_a_row(request)
    return Response({"a": "no"}, status=409)


@pytest.mark.parametrize(("handler", "status"), [(refuse, 400), (refuse_by_status, 409)])
def test_refusal_changes_nothing_and_is_not_kept(handler: Callable[[Request], Response], status: int) -> None:
    handled_by(handler)
    assert post().status_code == status
    assert (rows(), IdempotencyRecord.objects.count(), committed) == (0, 0, [])
    handled_by(leave_a_row)
    answer = post({"a": 2})
    assert (answer.status_code, is_replay(answer)) == (201, False)


def test_crash_after_the_effect_leaves_nothing() -> None:
    def crash(request: Request) -> Response:
        leave_a_row(request)
        raise RuntimeError("killed")

    handled_by(crash)
    with pytest.raises(RuntimeError):
        post()
    assert (rows(), IdempotencyRecord.objects.count()) == (0, 0)
    handled_by(leave_a_row)
    assert post().status_code == 201


def test_killed_connection_leaves_nothing() -> None:
    """As when a process dies between the effect and the commit."""

    def lose_connection(request: Request) -> Response:
        answer = leave_a_row(request)
        connection.connection.pgconn.finish()
        return answer

    handled_by(lose_connection)
    assert problem(post()) == (503, "store-unavailable")
    connection.close()
    assert (rows(), IdempotencyRecord.objects.count()) == (0, 0)
    handled_by(leave_a_row)
    assert post().status_code == 201


def test_lost_answer_is_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit happened; the client saw none of it."""

    def vanish() -> None:
        raise ConnectionResetError

    def lose_answer(request: Request) -> Response:
        answer = leave_a_row(request)
        transaction.on_commit(vanish)
        return answer

    handled_by(lose_answer)
    with pytest.raises(ConnectionResetError):
        post()
    again = post()
    assert (is_replay(again), again.headers["Location"], rows()) == (True, "/rows/1", 1)


# Side by side


def in_thread(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connections.close_all()


def test_second_of_two_at_once_is_409_and_then_a_repeat() -> None:
    is_running, may_end = threading.Event(), threading.Event()

    def take_long(request: Request) -> Response:
        is_running.set()
        assert may_end.wait(20)
        return leave_a_row(request)

    handled_by(take_long)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(in_thread, post)
        assert is_running.wait(20)
        second = post()
        may_end.set()
        answer = first.result(20)
    assert problem(second) == (409, "idempotency-key-in-use")
    assert answer.status_code == 201
    again = post()
    assert (is_replay(again), again.content, rows()) == (True, answer.content, 1)


def test_crowd_with_one_key_is_one_effect() -> None:
    barrier = threading.Barrier(8)

    def work(_: int) -> Any:
        barrier.wait(20)
        return in_thread(post)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(work, range(8)))
    assert rows() == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert sum(answer.status_code == 201 and not is_replay(answer) for answer in answers) == 1


def test_other_keys_do_not_wait() -> None:
    is_running, may_end = threading.Event(), threading.Event()

    def take_long(request: Request) -> Response:
        is_running.set()
        assert may_end.wait(20)
        return Response()

    handled_by(take_long)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(in_thread, post)
        assert is_running.wait(20)
        handled_by(leave_a_row)
        assert post(key="other").status_code == 201
        may_end.set()
        first.result(20)


# Expiry


def age(**ago: float) -> None:
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(**ago))


def test_expired_answer_counts_as_absent(settings: Settings) -> None:
    settings.IDEMPOTENCY_TTL_SECONDS = 60
    post()
    age(seconds=61)
    answer = post({"a": 2})
    assert (answer.status_code, is_replay(answer), rows()) == (201, False, 2)
    assert is_replay(post({"a": 2}))
    assert IdempotencyRecord.objects.count() == 1


def test_sweep_deletes_the_expired_in_slices(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.IDEMPOTENCY_TTL_SECONDS = 60
    monkeypatch.setattr("gateway.views.kept.SWEEP_SLICE", 2)
    for number in range(5):
        post(key=f"key-{number}")
    age(seconds=61)
    post(key="fresh")
    assert sweep_expired_answers() == 5
    assert sweep_expired_answers() == 0
    assert is_replay(post(key="fresh"))


def test_sweep_leaves_what_a_request_takes_over(settings: Settings) -> None:
    settings.IDEMPOTENCY_TTL_SECONDS = 60
    post()
    age(seconds=61)

    def sweep_meanwhile(request: Request) -> Response:
        IdempotencyRecord.objects.select_for_update().get()
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(in_thread, sweep_expired_answers).result(20) == 0
        return leave_a_row(request)

    handled_by(sweep_meanwhile)
    post()
    assert sweep_expired_answers() == 0
    assert is_replay(post())


# Everywhere


def patterns(of: Any, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in of.url_patterns:
        where = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from patterns(entry, where)
        else:
            yield where, entry


def test_every_post_of_drf_takes_a_key() -> None:
    views = {where: getattr(entry.callback, "cls", None) for where, entry in patterns(get_resolver())}
    handlers = {where: view.post for where, view in views.items() if view and hasattr(view, "post")}
    of_twins = {where for where, handler in handlers.items() if handler.__module__ == "gateway.views.drf"}
    assert "process-csv" in handlers
    assert [
        where
        for where, handler in handlers.items()
        if where not in of_twins and not getattr(handler, "is_idempotent", False)
    ] == []
