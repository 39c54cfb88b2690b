"""The POSTs of promotions with an Idempotency-Key: what they leave, and what a repeat gets."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from gateway.models import IdempotencyRecord
from promotions import api
from promotions.imports.submitting import submit_import
from promotions.models import Import, Publication
from promotions.versions.publishing import deliver_publications
from promotions.versions.retention import ORPHAN_SECONDS, remove_orphaned_files
from tests.promotions import imported, rows, served, submit

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])
KEYED = {"Idempotency-Key": "5f0c2f6e"}


def is_replay(answer: Any) -> bool:
    return bool(answer.headers.get("Idempotency-Replayed") == "true")


def uploads(settings: Settings) -> list[Path]:
    return list((Path(settings.IMPORT_ROOT) / "uploads").glob("*")) + list(Path(settings.SPOOL_DIR).iterdir())


@pytest.fixture(autouse=True)
def spooled(settings: Settings) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = settings.SPOOL_DIR


def test_file_is_submitted_once(client: Client, settings: Settings) -> None:
    (Path(settings.IMPORT_ROOT) / "a.csv").write_text(rows(range(3)))
    first = client.post("/process-csv", {"filename": "a.csv"}, headers=KEYED)
    (Path(settings.IMPORT_ROOT) / "a.csv").unlink()
    again = client.post("/process-csv", {"filename": "a.csv"}, headers=KEYED)
    assert (first.status_code, again.status_code, is_replay(again)) == (202, 202, True)
    assert (again.content, again.headers["Location"]) == (first.content, first.headers["Location"])
    assert Import.objects.count() == 1


@pytest.mark.parametrize("size", [100, 60_000], ids=["in memory", "spooled"])
def test_upload_is_taken_over_once(client: Client, settings: Settings, size: int) -> None:
    content = rows(range(size)).encode()
    answers = [
        client.post("/process-csv", {"file": SimpleUploadedFile("a.csv", content)}, headers=KEYED) for _ in range(3)
    ]
    assert [is_replay(answer) for answer in answers] == [False, True, True]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert [str(path) for path in uploads(settings)] == [Import.objects.get().path]
    assert Path(Import.objects.get().path).read_bytes() == content


def test_other_upload_with_the_same_key_is_422(client: Client, settings: Settings) -> None:
    for content, status in ((b"a", 202), (b"b", 422)):
        upload = SimpleUploadedFile("a.csv", content)
        assert client.post("/process-csv", {"file": upload}, headers=KEYED).status_code == status
    assert len(uploads(settings)) == 1


def test_upload_that_is_rolled_back_leaves_no_file_for_ever(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*arguments: Any, **kwargs: Any) -> None:
        submit_import(*arguments, **kwargs)
        raise RuntimeError("killed")

    def post() -> Any:
        return client.post("/process-csv", {"file": SimpleUploadedFile("a.csv", rows([1]).encode())}, headers=KEYED)

    with monkeypatch.context() as crashing:
        crashing.setattr(api, "submit_import", crash)
        with pytest.raises(RuntimeError):
            post()
    assert (Import.objects.count(), IdempotencyRecord.objects.count()) == (0, 0)
    (left,) = uploads(settings)
    os.utime(left, (time.time() - ORPHAN_SECONDS - 1,) * 2)
    assert remove_orphaned_files() == [left]
    assert (post().status_code, Import.objects.count()) == (202, 1)


def test_missing_file_may_come_later(client: Client, settings: Settings) -> None:
    assert client.post("/process-csv", {"filename": "a.csv"}, headers=KEYED).status_code == 404
    (Path(settings.IMPORT_ROOT) / "a.csv").write_text(rows(range(3)))
    assert client.post("/process-csv", {"filename": "a.csv"}, headers=KEYED).status_code == 202


def test_import_is_cancelled_once_and_says_so_again(client: Client) -> None:
    import_ = submit(rows(range(3)))
    first, again = (client.post(f"/imports/{import_.id}/cancel", headers=KEYED) for _ in range(2))
    assert (first.status_code, again.status_code, is_replay(again)) == (200, 200, True)
    assert first.content == again.content
    assert client.post(f"/imports/{import_.id}/cancel").status_code == 409


def test_key_of_one_import_is_not_that_of_another(client: Client) -> None:
    first, second = submit(rows(range(3))), submit(rows(range(3)), "b.csv")
    assert client.post(f"/imports/{first.id}/cancel", headers=KEYED).status_code == 200
    assert client.post(f"/imports/{second.id}/cancel", headers=KEYED).status_code == 422


def test_activation_is_delivered_once_it_is_committed(client: Client) -> None:
    """Its answer is kept before the delivery, so it says 202, every time."""
    first, _ = imported(rows(range(3), "1.00")), imported(rows(range(3), "2.00"))
    epochs = Publication.objects.count()
    address = f"/promotions/versions/{first.id}/activate"
    answer = client.post(address, headers=KEYED)
    assert (answer.status_code, answer.json()["is_live"], served(1)) == (202, False, "1.00")
    assert not Publication.objects.filter(delivered_at=None).exists()
    again = client.post(address, headers=KEYED)
    assert (again.status_code, again.content, is_replay(again)) == (202, answer.content, True)
    assert Publication.objects.count() == epochs + 1
    assert (client.post(address).status_code, Publication.objects.count()) == (200, epochs + 1)


def test_repeat_after_another_activation_does_not_go_back(client: Client) -> None:
    first, second = imported(rows(range(3), "1.00")), imported(rows(range(3), "2.00"))
    client.post(f"/promotions/versions/{first.id}/activate", headers=KEYED)
    client.post(f"/promotions/versions/{second.id}/activate")
    client.post(f"/promotions/versions/{first.id}/activate", headers=KEYED)
    assert not deliver_publications()
    assert served(1) == "2.00"


def test_key_is_described(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for address in ("/process-csv", "/imports/{import_id}/cancel", "/promotions/versions/{number}/activate"):
        named = {(found["in"], found["name"]) for found in paths[address]["post"]["parameters"]}
        assert ("header", "Idempotency-Key") in named
