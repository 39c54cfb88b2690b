"""No view of DRF, and no hot endpoint, passes over a query, a field or a body that it does not read."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from gateway.endpoints.hot import hot_endpoints
from gateway.views.strictview import StrictView
from promotions.models import Import
from tests.roads import Answer, django, hot_path
from vouchers.models import Profile

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])

SAMPLES = {
    **dict.fromkeys(["import_id", "number", "batch_id", "generation_id"], "1"),
    **dict.fromkeys(["id", "key", "timestamp", "redemption_id"], "d018ef0b-dbd9-48f1-ac1a-eb4d90e57118"),
    "phone_number": "+4915112345678",
}
INSTANT = "2018-08-04T05:32:31Z"
HOT = {(endpoint.method, endpoint.path): endpoint for endpoint in hot_endpoints()}


def operations() -> Iterator[tuple[str, str, Any]]:
    """Method, path and description of each operation."""
    for path, methods in Client().get("/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def where(method: str, path: str) -> str:
    named = SAMPLES | ({"timestamp": INSTANT} if method == "POST" else {})
    return re.sub(r"\{(\w+)\}", lambda found: named[found[1]], path)


def ask(method: str, path: str, query: str = "", body: Any = b"", **headers: str) -> list[Answer]:
    """At each door that the address has."""
    address = where(method, path) + (f"?{query}" if query else "")
    answers = [django(method, address, body, X_Floodgate_Account="shop", **headers)]
    if (method, path) in HOT:
        answers.append(hot_path(method, address, body, **headers))
    return answers


def named(answer: Answer) -> set[str]:
    """The fields that a refusal names."""
    assert answer.status == 400, answer
    assert answer.headers["content-type"] == "application/problem+json"
    return {error["field"] for error in answer.json["errors"]}


def views(of: Any = None) -> Iterator[Any]:
    for entry in (of or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            yield from views(entry)
        elif isinstance(entry, URLPattern) and hasattr(entry.callback, "cls"):
            yield entry.callback.cls


def test_every_view_of_ours_is_strict() -> None:
    ours = [view for view in views() if not view.__module__.startswith("drf_spectacular")]
    assert len(ours) > 20
    assert [view for view in ours if not issubclass(view, StrictView)] == []


def test_unknown_parameter_is_refused_and_named_everywhere() -> None:
    asked = [(method, path, answer) for method, path, _ in operations() for answer in ask(method, path, "nobody=1")]
    assert len(asked) > 40
    assert [(method, path) for method, path, answer in asked if "nobody" not in named(answer)] == []


def test_parameter_that_comes_twice_is_refused_and_named_everywhere() -> None:
    asked = 0
    for method, path, operation in operations():
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                for answer in ask(method, path, f"{parameter['name']}=1&{parameter['name']}=1"):
                    asked += 1
                    assert parameter["name"] in named(answer), path
    assert asked > 15


def test_body_where_none_belongs_is_refused_everywhere() -> None:
    asked = 0
    for method, path, operation in operations():
        if "requestBody" in operation or path == "/api/vouchers/report":
            continue
        for body in ({"a": 1}, b"1", b"a=1", b"\x00"):
            for answer in ask(method, path, body=body):
                asked += 1
                assert named(answer) <= {"body", "a"}, (path, body)
    assert asked > 50


def test_fields_that_are_unknown_or_come_twice_are_refused_everywhere() -> None:
    asked = 0
    for method, path, operation in operations():
        content = operation.get("requestBody", {}).get("content", {})
        is_list = content.get("application/json", {}).get("schema", {}).get("type") == "array"
        if "application/json" not in content or path == "/rates/batches":
            continue
        bodies = [b'{"nobody": 1}', b'{"nobody": 1, "nobody": 1}', b"5", b'"text"', b"null", b"true", b"{", b"\xff"]
        for body in [b"[%b]" % body for body in bodies] + bodies if is_list else bodies:
            for answer in ask(method, path, body=body):
                asked += 1
                assert named(answer), (path, body)
                if body == bodies[0] and not is_list:
                    assert "nobody" in named(answer), path
    assert asked > 80


@pytest.mark.parametrize("path", ["/imports", "/promotions/versions"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        *((f"limit={wrong}", "limit") for wrong in ("abc", "0", "1001", "", "1.0", "1&limit=1", "%00", "%D9%A3")),
        *((f"offset={wrong}", "offset") for wrong in ("-1", "x", "99999999999999999999")),
        ("page=2", "page"),
        ("%FF=1", "query"),
    ],
)
def test_page_that_is_none_is_refused(path: str, query: str, field: str) -> None:
    assert named(django("GET", f"{path}?{query}")) == {field}


@pytest.mark.parametrize("path", ["/imports", "/promotions/versions"])
def test_page_that_is_one_is_answered(path: str) -> None:
    for query in ("", "?", "?limit=1000", "?limit=1&offset=9223372036854775807", "?offset=0"):
        assert django("GET", f"{path}{query}").status == 200, query


def test_clients_that_always_write_something_may_write_nothing() -> None:
    for body in (b"", b" ", b"{}", b"{ }\n", b"[]", b'""', b"null", b"--boundary--\r\n"):
        assert django("POST", "/imports/1/cancel", body).status == 404
        assert django("GET", "/imports", body).status == 200
        assert [answer.status for answer in ask("GET", "/api/profiles/{phone_number}", body=body)] == [404, 404]


def test_report_takes_its_fields_from_one_place() -> None:
    path = "/api/vouchers/report"
    assert named(django("GET", f"{path}?code=A", {"code": "B"})) == {"body"}
    assert named(django("GET", path, {"code": "A", "nobody": 1})) == {"nobody"}
    assert named(django("GET", path, b'{"code": "A", "code": "A"}')) == {"code"}
    assert named(django("GET", path, {"code": "A", "limit": "5"})) == {"limit"}


# One file


FORM = "application/x-www-form-urlencoded"


def process(body: bytes, content_type: str) -> Answer:
    answer = Client().generic("POST", "/process-csv", body, content_type=content_type)
    return Answer(answer.status_code, answer.content, {name.lower(): value for name, value in answer.headers.items()})


def multipart(*parts: tuple[str, str], end: str = "--b--\r\n") -> bytes:
    """Parts by what follows ``form-data``, with their content."""
    lines = (f"--b\r\nContent-Disposition: form-data{how}\r\n\r\n{content}\r\n" for how, content in parts)
    return ("".join(lines) + end).encode("latin-1")


NAME = ('; name="filename"', "a.csv")
FILE = ('; name="file"; filename="a.csv"', "1")
REFUSED: list[tuple[bytes, str, set[str]]] = [
    (b"filename=a.csv&filename=b.csv", FORM, {"filename"}),
    (b"filename=a.csv&other=1", FORM, {"other"}),
    (b"filename=a.csv&%FF=1", FORM, {"\ufffd"}),
    (b"filename=%FF.csv", FORM, {"filename"}),
    (b"filename=a%00", FORM, {"filename"}),
    (b"file=a.csv", FORM, {"file"}),
    (b"", FORM, {"filename"}),
    *(
        (b'{"filename": %b}' % wrong, "application/json", {"filename"})
        for wrong in (b"5", b"true", b"1.5", b"[]", b"{}", b'""')
    ),
    (b'{"filename": "\\ud800"}', "application/json", {"filename"}),
    (b'{"filename": "\\udcff"}', "application/json", {"filename"}),
    (b'{"filename": null}', "application/json", {"filename"}),
    (b'{"filename": "a.csv", "filename": "a.csv"}', "application/json", {"filename"}),
    (b'{"filename": "a.csv", "file": "a.csv"}', "application/json", {"file"}),
    (b'{"filename": "a.csv", "other": null}', "application/json", {"other"}),
    (b'["a.csv"]', "application/json", {"body"}),
    (b'{"filename": NaN}', "application/json", {"body"}),
    (multipart(FILE, FILE), "multipart/form-data; boundary=b", {"file"}),
    (multipart(NAME, NAME), "multipart/form-data; boundary=b", {"filename"}),
    (multipart(NAME, FILE), "multipart/form-data; boundary=b", {"filename"}),
    (multipart(FILE, ('; name="file"', "x")), "multipart/form-data; boundary=b", {"file"}),
    (multipart(('; name="file"', "x")), "multipart/form-data; boundary=b", {"file"}),
    (multipart(('; name="filename"; filename="a.csv"', "x")), "multipart/form-data; boundary=b", {"filename"}),
    (multipart(FILE, ('; name="note"', "x")), "multipart/form-data; boundary=b", {"note"}),
    (multipart(FILE, ('; name="note"; filename="b"', "x")), "multipart/form-data; boundary=b", {"note"}),
    (multipart(FILE, ("", "x")), "multipart/form-data; boundary=b", {"body"}),  # no name
    (multipart(FILE, ('; filename="b.csv"', "x")), "multipart/form-data; boundary=b", {"body"}),
    (multipart(FILE, ('; name="file"; filename=".."', "x")), "multipart/form-data; boundary=b", {"body"}),
    (multipart(FILE, ('; name="note"; filename="\xff"', "x")), "multipart/form-data; boundary=b", {"body"}),
    (multipart(FILE, end=""), "multipart/form-data; boundary=b", {"body"}),  # breaks off
    (multipart(FILE)[:-9], "multipart/form-data; boundary=b", {"body"}),
    (multipart(FILE), "multipart/form-data", {"Content-Type"}),
    (multipart(), "multipart/form-data; boundary=b", {"filename"}),
    (multipart(('; name="filename"', "\xff.csv")), "multipart/form-data; boundary=b", {"filename"}),
]


@pytest.mark.parametrize(("body", "content_type", "fields"), REFUSED)
def test_source_that_is_not_one_file_is_refused(body: bytes, content_type: str, fields: set[str]) -> None:
    (Path(project.IMPORT_ROOT) / "a.csv").write_text("")
    assert named(process(body, content_type)) == fields
    assert not Import.objects.exists()


def test_one_file_is_taken_however_it_is_sent() -> None:
    (Path(project.IMPORT_ROOT) / "a.csv").write_text("")
    for body, content_type in [
        (b"filename=a.csv", FORM),
        (b'{"filename": "a.csv", "file": null}', "application/json; charset=utf-8"),
        (multipart(NAME), 'multipart/form-data; boundary="b"'),
        (multipart(FILE), "multipart/form-data; boundary=b"),
        (multipart(FILE, end="--b--"), "multipart/form-data; boundary=b"),
        (multipart(FILE), "Multipart/FORM-DATA; Boundary=b"),
        (b"preamble\r\n" + multipart(FILE) + b"epilogue", "multipart/form-data; boundary=b"),
    ]:
        assert process(body, content_type).status == 202, body


@pytest.mark.parametrize("content_type", ["", "text/csv", "application/xml", "multipart/mixed; boundary=b"])
def test_source_of_another_type_is_415(content_type: str) -> None:
    answer = process(multipart(FILE), content_type)
    assert answer.status == 415
    assert answer.json["detail"] == (
        "Send Content-Type: application/x-www-form-urlencoded, multipart/form-data or application/json."
    )


@pytest.mark.parametrize("amount", [b'"5"', b"true", b"[5]", b'{"a": 5}', b"null"])
def test_amount_that_is_no_number_moves_no_money(amount: bytes) -> None:
    body = b'{"phone_number": "+4915112345678", "amount": %b}' % amount
    assert named(django("POST", "/api/transactions", body)) == {"amount"}
    assert named(django("POST", "/api/transactions", {"phone_number": 4915112345678, "amount": 5})) == {"phone_number"}
    assert not Profile.objects.exists()
