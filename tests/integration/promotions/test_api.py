"""The HTTP contract of imports, versions and promotions, through Django and through the hot path."""

import asyncio
import csv
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as project
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from common.stores.guarded import READ_STORE
from gateway.endpoints.hot import hot_endpoints
from gateway.server.app import Gateway
from promotions import api
from promotions.imports import rejects
from promotions.imports.rejects import prune_rejects
from promotions.models import Import, Reject
from promotions.steps.importing import work_on_imports
from promotions.versions.retention import drop_unused_tables
from tests.promotions import DATE, accounting, id_of, imported, row, rows, served, submit
from tests.roads import end_threads

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])

CORRELATION_ID = "123e4567-e89b-12d3-a456-426614174000"


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answer.content)
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code), body
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["detail"]
    return body


# Submitting


def put(content: str | bytes, name: str = "promotions.csv") -> Path:
    path = Path(project.IMPORT_ROOT) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_file_is_accepted_at_once_and_published_later(client: Client) -> None:
    put(rows(range(10)))
    answer = client.post("/process-csv", {"filename": "promotions.csv"})
    accepted = answer.json()
    assert answer.status_code == 202
    assert accepted["status"] == "queued"
    assert answer.headers["Location"] == accepted["status_url"]
    assert client.get(accepted["status_url"]).json()["status"] == "queued"
    work_on_imports()
    now = client.get(accepted["status_url"]).json()
    assert (now["status"], now["version"], now["rows_loaded"], now["error"]) == ("published", now["id"], 10, None)
    assert now["bytes_done"] == now["bytes_total"] > 0


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/json"])
def test_file_can_be_named_in_a_form_or_in_json(client: Client, content_type: str) -> None:
    path = put(rows(range(10)), "below/a file.csv")
    body = json.dumps({"filename": str(path)}) if "json" in content_type else f"filename={path}"
    assert client.post("/process-csv", body, content_type=content_type).status_code == 202
    work_on_imports()
    assert served(1) == "1.50"


def test_missing_file_is_404(client: Client) -> None:
    problem(client.post("/process-csv", {"filename": "nothing.csv"}), 404, "source-not-found")
    assert not Import.objects.exists()


@pytest.mark.parametrize(
    "name", ["../outside.csv", "below/../../outside.csv", "/etc/passwd", "/etc/nothing", "link.csv"]
)
def test_path_outside_the_root_is_403(client: Client, tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.csv").write_text(rows(range(10)))
    (tmp_path / "imports" / "link.csv").symlink_to(tmp_path / "outside.csv")
    problem(client.post("/process-csv", {"filename": name}), 403, "source-forbidden")
    assert not Import.objects.exists()


@pytest.mark.parametrize("form", [{}, {"filename": ""}, {"filename": "a\0b"}])
def test_request_without_a_file_is_400_and_names_the_field(client: Client, form: dict[str, str]) -> None:
    errors = problem(client.post("/process-csv", form), 400, "invalid-input")["errors"]
    assert [error["field"] for error in errors] == ["filename"]


def test_name_and_upload_together_are_400(client: Client) -> None:
    upload = SimpleUploadedFile("a.csv", b"x")
    problem(client.post("/process-csv", {"filename": "a.csv", "file": upload}), 400, "invalid-input")


def test_folder_is_400(client: Client) -> None:
    problem(client.post("/process-csv", {"filename": "."}), 400, "source-unreadable")


@pytest.mark.parametrize("size", [100, 60_000], ids=["in memory", "spooled"])
def test_upload_is_imported(client: Client, tmp_path: Path, size: int) -> None:
    upload = SimpleUploadedFile("prices.csv", rows(range(size)).encode())
    accepted = client.post("/process-csv", {"file": upload}).json()
    work_on_imports()
    now = client.get(accepted["status_url"]).json()
    assert (now["status"], now["filename"], now["rows_loaded"]) == ("published", "prices.csv", size)
    assert list((tmp_path / "imports" / "uploads").iterdir()) == []


def test_packed_upload_is_imported(client: Client) -> None:
    client.post("/process-csv", {"file": SimpleUploadedFile("prices.csv.gz", gzip.compress(rows(range(9)).encode()))})
    work_on_imports()
    assert served(8) == "1.50"


def test_empty_upload_is_taken_and_quarantined(client: Client) -> None:
    accepted = client.post("/process-csv", {"file": SimpleUploadedFile("empty.csv", b"")}).json()
    work_on_imports()
    now = client.get(accepted["status_url"]).json()
    assert (now["status"], now["error"]) == ("quarantined", "The file has no valid row.")


# Imports


def test_list_shows_the_newest_first_in_pages(client: Client) -> None:
    ids = [submit(row(1)).id for _ in range(3)]
    page = client.get("/imports?limit=2").json()
    assert page["count"] == 3
    assert [found["id"] for found in page["results"]] == ids[:0:-1]
    assert [found["id"] for found in client.get(page["next"]).json()["results"]] == ids[:1]


@pytest.mark.parametrize("address", ["/imports/{}", "/imports/{}/rejects"])
def test_unknown_import_is_404(client: Client, address: str) -> None:
    problem(client.get(address.format(4_000_000)), 404, "import-not-found")
    problem(client.post("/imports/4000000/cancel"), 404, "import-not-found")


@pytest.mark.parametrize("address", ["/imports/9223372036854775808", "/imports/99999999999999999999999999"])
def test_impossible_import_is_404(client: Client, address: str) -> None:
    assert client.get(address).status_code == 404
    assert client.post(f"{address}/cancel").status_code == 404


def test_import_is_cancelled_once(client: Client) -> None:
    import_ = submit(rows(range(10)))
    answer = client.post(f"/imports/{import_.id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert "cancelled" in problem(client.post(f"/imports/{import_.id}/cancel"), 409, "import-finished")["detail"]


def test_published_import_cannot_be_cancelled(client: Client) -> None:
    import_ = imported(rows(range(10)))
    problem(client.post(f"/imports/{import_.id}/cancel"), 409, "import-finished")


def test_rejects_are_a_csv_file(client: Client, settings: Settings) -> None:
    settings.IMPORT_MAX_REJECT_SHARE = 1.0
    import_ = imported(row(1) + 'a "quoted", line,x\n' + row(1, "2.00"))
    answer = client.get(f"/imports/{import_.id}/rejects")
    assert answer.headers["Content-Type"].startswith("text/csv")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    table = list(csv.DictReader(io.StringIO(text)))
    assert [(line["line"], line["reason"], line["kept_line"]) for line in table] == [
        ("1", "duplicate_id", "3"),
        ("2", "bad_uuid", ""),
    ]
    assert table[1]["raw"] == 'a "quoted", line,x'


# Versions


def test_versions_are_listed_and_activated(client: Client, settings: Settings) -> None:
    first, second = imported(rows(range(10), "1.00")), imported(rows(range(10), "2.00"))
    listed = client.get("/promotions/versions").json()["results"]
    assert [(v["version"], v["rows"], v["is_live"]) for v in listed] == [(second.id, 10, True), (first.id, 10, False)]
    answer = client.post(f"/promotions/versions/{first.id}/activate")
    assert (answer.status_code, answer.json()["is_live"], served(1)) == (200, True, "1.00")


def test_unknown_and_dropped_versions_cannot_be_activated(client: Client, settings: Settings) -> None:
    settings.IMPORT_KEEP_VERSIONS, settings.IMPORT_DROP_AFTER_SECONDS = 1, 0
    first = imported(rows(range(10)))
    problem(client.post(f"/promotions/versions/{first.id + 99}/activate"), 404, "version-not-found")
    imported(rows(range(10)))
    drop_unused_tables()
    problem(client.post(f"/promotions/versions/{first.id}/activate"), 409, "version-gone")
    assert client.post("/promotions/versions/99999999999999999999/activate").status_code == 404


def test_correlation_id_of_a_submission_is_kept(client: Client) -> None:
    put(row(1))
    client.post("/process-csv", {"filename": "promotions.csv"}, headers={"X-Correlation-ID": CORRELATION_ID})
    assert Import.objects.get().correlation_id == CORRELATION_ID


# One promotion, on both roads


@dataclass
class Answer:
    status_code: int
    headers: dict[str, str]
    content: bytes


Get = Callable[..., Answer]


async def _refuse_django(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 599, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _call(path: str, headers: dict[str, str]) -> Answer:
    gateway = Gateway(_refuse_django, hot_endpoints())
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    path, _, query = path.partition("?")
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": raw}
    await gateway(scope, receive, send)
    end_threads(gateway)
    got = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], got, sent[1]["body"])


@pytest.fixture(params=["hot path", "drf"])
def get(request: pytest.FixtureRequest, client: Client) -> Get:
    def by_hot_path(path: str, **headers: str) -> Answer:
        return asyncio.run(_call(path, headers))

    def by_drf(path: str, **headers: str) -> Answer:
        answer = client.get(path, headers=headers)
        return Answer(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content)

    return by_hot_path if request.param == "hot path" else by_drf


ID = "0006c161-b9d2-4b62-988c-c25255a20965"


def test_promotion_is_served(get: Get) -> None:
    import_ = imported(f"{ID},31.457293,{DATE}\n")
    answer = get(f"/promotions/{ID}")
    assert answer.content.decode() == f'{{"id": "{ID}", "price": 31.46, "expiration_date": "2018-06-24T12:50:03Z"}}'
    assert (answer.status_code, answer.headers["x-data-version"]) == (200, str(import_.id))
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["etag"].strip('"')


def test_client_that_has_it_gets_304(get: Get) -> None:
    imported(f"{ID},31.457293,{DATE}\n")
    etag = get(f"/promotions/{ID}").headers["etag"]
    for sent in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = get(f"/promotions/{ID}", **{"If-None-Match": sent})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert get(f"/promotions/{ID}", **{"If-None-Match": '"other"'}).status_code == 200


def test_etag_follows_the_content(get: Get) -> None:
    etags = []
    for price in ("1.00", "2.00", "1.00"):
        imported(row(1, price))
        etags.append(get(f"/promotions/{id_of(1)}").headers["etag"])
    assert etags[0] == etags[2] != etags[1]


def test_upper_case_id_is_the_same_promotion(get: Get) -> None:
    imported(row(1))
    answer = get(f"/promotions/{str(id_of(1)).upper()}")
    assert (answer.status_code, json.loads(answer.content)["id"]) == (200, str(id_of(1)))


@pytest.mark.parametrize(
    "bad", [f"{{{ID}}}", ID.replace("-", ""), "1", "x" * 36, f"urn:uuid:{ID}", ID[:-1] + "é", "٣" * 8]
)
def test_malformed_id_is_400(get: Get, bad: str) -> None:
    errors = problem(get(f"/promotions/{bad}"), 400, "invalid-input")["errors"]
    assert [error["field"] for error in errors] == ["id"]


def test_unknown_id_is_404(get: Get) -> None:
    imported(row(1))
    problem(get(f"/promotions/{ID}"), 404, "not-found")
    problem(get(f"/promotions/{UUID(int=0)}"), 404, "not-found")


def test_read_store_that_is_down_is_503(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    imported(row(1))
    served(2)
    monkeypatch.setattr(READ_STORE, "is_open", True)
    answer = get(f"/promotions/{id_of(1)}")
    problem(answer, 503, "store-unavailable")
    assert answer.headers["retry-after"] == "1"
    problem(get(f"/promotions/{id_of(2)}"), 404, "not-found")


def test_correlation_id_comes_back_from_the_hot_path() -> None:
    imported(row(1))
    answer = asyncio.run(_call(f"/promotions/{id_of(1)}", {"correlationId": CORRELATION_ID}))
    assert answer.headers["correlationid"] == answer.headers["x-correlation-id"] == CORRELATION_ID
    made = asyncio.run(_call(f"/promotions/{ID}", {}))
    assert json.loads(made.content)["correlation_id"] == made.headers["x-correlation-id"]
    problem(asyncio.run(_call(f"/promotions/{ID}", {"correlationId": "no uuid"})), 400, "invalid-input")


def test_addresses_beside_promotions_are_left_to_django() -> None:
    for path in ("/promotions/versions", "/promotions/", f"/promotions/{ID}/more"):
        assert asyncio.run(_call(path, {})).status_code == 599


# Several promotions, on both roads


def listed(*ids: object) -> str:
    return f"/promotions?ids={','.join(map(str, ids))}"


def test_promotions_are_served_together_in_the_order_asked(get: Get) -> None:
    import_ = imported(f"{ID},31.457293,{DATE}\n" + row(1, "0") + row(2))
    answer = get(listed(id_of(2), UUID(int=0), ID.upper(), id_of(99)))
    assert answer.content.decode() == (
        f'{{"version": {import_.id}, "promotions": ['
        f'{{"id": "{id_of(2)}", "price": 1.50, "expiration_date": "2018-06-24T12:50:03Z"}}, '
        f'{{"id": "{ID}", "price": 31.46, "expiration_date": "2018-06-24T12:50:03Z"}}], '
        f'"missing": ["{UUID(int=0)}", "{id_of(99)}"]}}'
    )
    assert (answer.status_code, answer.headers["x-data-version"]) == (200, str(import_.id))
    assert answer.headers["content-type"] == "application/json"


def test_each_of_them_is_as_it_is_served_alone(get: Get) -> None:
    imported(rows(range(100), "0.005"))
    answer = get(listed(*map(id_of, range(100)))).content
    for number in range(100):
        assert get(f"/promotions/{id_of(number)}").content in answer


def test_all_come_from_one_version_though_some_were_cached(get: Get) -> None:
    imported(rows(range(10), "1.00"))
    served(1)
    newer = imported(rows(range(5), "2.00"))
    body = json.loads(get(listed(*map(id_of, range(10)))).content)
    assert body["version"] == newer.id
    assert [found["price"] for found in body["promotions"]] == [2.0] * 5
    assert body["missing"] == [str(id_of(number)) for number in range(5, 10)]


def test_list_that_the_client_has_is_304(get: Get) -> None:
    imported(rows(range(3)))
    etag = get(listed(id_of(1), id_of(2))).headers["etag"]
    again = get(listed(id_of(1), id_of(2)), **{"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert get(listed(id_of(1)), **{"If-None-Match": etag}).status_code == 200
    imported(rows(range(3), "2.00"))
    assert get(listed(id_of(1), id_of(2)), **{"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ("", "ids", "Is required."),
        ("?ids=", "ids", "number 1 is none"),
        (f"?ids={ID},,{UUID(int=1)}", "ids", "number 2 is none"),
        (f"?ids={ID},{{{UUID(int=1)}}}", "ids", "number 2 is none"),
        (f"?ids={ID}, {UUID(int=1)}", "ids", "number 2 is none"),
        (f"?ids={ID},{ID.upper()}", "ids", f"{ID} comes twice"),
        (f"?ids={ID}&ids={UUID(int=1)}", "ids", "Comes twice."),
        (f"?ids={ID}&id={ID}", "id", "Is no field here."),
        ("?ids=" + ",".join(str(UUID(int=number)) for number in range(101)), "ids", "at most 100 ids, not 101"),
    ],
)
def test_list_that_is_not_right_is_400_and_says_why(get: Get, query: str, field: str, said: str) -> None:
    (error,) = problem(get(f"/promotions{query.replace(' ', '%20')}"), 400, "invalid-input")["errors"]
    assert error["field"] == field
    assert said in error["detail"]


def test_commas_may_be_encoded(get: Get) -> None:
    imported(rows(range(3)))
    assert len(json.loads(get(f"/promotions?ids={id_of(1)}%2C{id_of(2)}").content)["promotions"]) == 2


def test_list_before_the_first_publish_is_404(get: Get) -> None:
    assert "No promotions are published yet." in problem(get(listed(ID)), 404, "not-found")["detail"]


def test_list_with_an_id_that_cannot_be_told_is_503(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    imported(rows(range(3)))
    served(1)
    monkeypatch.setattr(READ_STORE, "is_open", True)
    problem(get(listed(id_of(1), id_of(2))), 503, "store-unavailable")
    assert get(listed(id_of(1))).status_code == 200


def test_file_that_vanishes_while_it_is_submitted_is_404(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "resolve_source", lambda name, root: root / name)
    problem(client.post("/process-csv", {"filename": "gone.csv"}), 404, "source-not-found")


def test_rejects_of_an_import_that_ended_long_ago_are_gone(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejects, "PRUNED_SLICE", 2)
    old, recent = (imported("no,good,row\n" * 3 + rows(range(97)), f"{name}.csv") for name in ("old", "recent"))
    for found, days in ((old, 31), (recent, 29)):
        Import.objects.filter(pk=found.pk).update(finished_at=timezone.now() - timedelta(days=days))
    problem(client.get(f"/imports/{old.id}/rejects"), 410, "rejects-gone")
    prune_rejects()
    assert list(Reject.objects.values_list("source_import", flat=True)) == [recent.id] * 3
    problem(client.get(f"/imports/{old.id}/rejects"), 410, "rejects-gone")
    assert client.get(f"/imports/{recent.id}/rejects").status_code == 200
    assert accounting(old) == (97, 3, 0, 0)
