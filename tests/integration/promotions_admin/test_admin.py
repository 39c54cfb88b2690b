"""The admin as a person uses it, over real stores."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from common.stores import valkey
from promotions.imports.submitting import submit_import
from promotions.models import Import, ImportStatus, Pointer, Version
from promotions.rows.samples import write_sample
from promotions.serving.pointer import NOTHING_LIVE, POINTER
from promotions.steps.importing import work_on_imports

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])

IMPORTS, VERSIONS, REJECTS = (f"/admin/promotions/{name}/" for name in ("import", "version", "reject"))
FIND = f"{VERSIONS}find/"
CONFIRMED = {"_form_submitted": "True"}


@pytest.fixture(autouse=True)
def nothing_live() -> Iterator[None]:
    """Epochs start anew in each test's emptied database; the cache and this process remember the last test's."""
    valkey.cache_store().flushdb()
    POINTER._live = NOTHING_LIVE
    yield
    POINTER._live = NOTHING_LIVE


@pytest.fixture
def people(client: Client) -> Client:
    User.objects.create_superuser("ada", password="enigma-1815")
    answer = client.post("/admin/login/?next=/admin/", {"username": "ada", "password": "enigma-1815"})
    assert answer.headers["Location"] == "/admin/"
    return client


def imported(folder: Path, seed: int = 1, *, rows: int = 200, bad_share: float = 0.05) -> Import:
    path = folder / f"sample-{seed}.csv"
    write_sample(path, rows, seed=seed, bad_share=bad_share)
    import_ = submit_import(path.name, path)
    work_on_imports()
    import_.refresh_from_db()
    return import_


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return re.sub(r"\s+", " ", answer.content.decode())


def test_strangers_are_sent_to_the_login(client: Client) -> None:
    for address in ("/admin/", IMPORTS, VERSIONS, REJECTS, FIND):
        assert client.get(address).headers["Location"].startswith("/admin/login/")


def test_staff_without_rights_see_and_do_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("guest", is_staff=True))
    queued = Import.objects.create(source="a.csv", path="/nowhere/a.csv")
    assert client.get(IMPORTS).status_code == 403
    assert client.get(FIND).status_code == 403
    assert client.post(f"{IMPORTS}{queued.id}/cancel/", CONFIRMED).status_code == 403
    queued.refresh_from_db()
    assert queued.status == ImportStatus.QUEUED


def test_every_page_shows_its_rows(people: Client, tmp_path: Path) -> None:
    import_ = imported(tmp_path)
    reject = import_.rejects.order_by("line").first()
    assert reject is not None
    assert "sample-1.csv" in text(people, IMPORTS)
    assert reject.reason in text(people, f"{IMPORTS}{import_.id}/change/")
    assert reject.detail.replace("'", "&#x27;") in text(people, f"{REJECTS}?source_import={import_.id}")
    assert "live" in text(people, VERSIONS)
    assert "Epoch" in text(people, f"{VERSIONS}{import_.id}/change/")


def test_rows_of_the_system_cannot_be_written(people: Client, tmp_path: Path) -> None:
    import_ = imported(tmp_path)
    for where in (IMPORTS, VERSIONS, REJECTS):
        assert people.get(f"{where}add/").status_code == 403
        assert people.post(f"{where}{import_.id}/delete/", {"post": "yes"}).status_code in (403, 404)
    assert people.post(f"{IMPORTS}{import_.id}/change/", {"source": "x"}).status_code == 403
    assert (Import.objects.count(), Version.objects.count()) == (1, 1)


def test_list_of_imports_takes_as_many_queries_for_many_as_for_one(
    people: Client, tmp_path: Path, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    imported(tmp_path, 1)
    with django_assert_max_num_queries(99) as for_one:
        people.get(IMPORTS)
    for seed in (2, 3, 4):
        imported(tmp_path, seed)
    with django_assert_max_num_queries(len(for_one.captured_queries)):
        assert "sample-4.csv" in text(people, IMPORTS)


def test_rejects_are_searched_within_one_import_and_never_counted(
    people: Client, tmp_path: Path, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    mine, other = imported(tmp_path, 1), imported(tmp_path, 2)
    first, last = mine.rejects.order_by("line").first(), mine.rejects.order_by("line").last()
    assert first is not None
    assert last is not None
    with django_assert_max_num_queries(99) as seen:
        page = text(people, f"{REJECTS}?source_import={mine.id}&q={first.line}")
    assert first.raw.split(",")[0].strip('"')[:36] in page
    assert not [
        query for query in seen.captured_queries if "COUNT" in query["sql"] and "promotions_reject" in query["sql"]
    ]
    assert "0 results" not in text(people, f"{REJECTS}?source_import={mine.id}&q=twelve&reason=bad_price")
    for theirs in other.rejects.exclude(raw__in=mine.rejects.values("raw")).filter(reason="negative_price"):
        assert theirs.raw[:36] not in text(people, f"{REJECTS}?source_import={mine.id}")


def test_rejects_are_downloaded_with_the_session_alone(people: Client, client: Client, tmp_path: Path) -> None:
    import_ = imported(tmp_path)
    address = f"{IMPORTS}{import_.id}/rejects.csv"
    assert address in text(people, f"{IMPORTS}{import_.id}/change/")
    assert address in text(people, f"{REJECTS}?source_import={import_.id}")
    lines = b"".join(people.get(address).streaming_content).splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 1 + import_.rejects.count()
    assert people.get(f"{IMPORTS}{import_.id + 1}/rejects.csv").status_code == 404
    client.force_login(User.objects.create_user("guest", is_staff=True))
    assert client.get(address).status_code == 403


def test_rejects_without_an_import_lead_to_the_imports(people: Client) -> None:
    for query in ("", "?source_import=12", "?source_import=x"):
        assert people.get(REJECTS + query).headers["Location"] == IMPORTS


def test_cancel_asks_first_and_then_ends_the_import(people: Client) -> None:
    queued = Import.objects.create(source="a.csv", path="/nowhere/a.csv")
    assert "Cancel this import?" in text(people, f"{IMPORTS}{queued.id}/cancel/")
    queued.refresh_from_db()
    assert queued.status == ImportStatus.QUEUED
    answer = people.post(f"{IMPORTS}{queued.id}/cancel/", CONFIRMED, headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == IMPORTS
    queued.refresh_from_db()
    assert queued.status == ImportStatus.CANCELLED
    assert LogEntry.objects.get().get_change_message() == "Cancelled."


def test_cancel_of_an_import_that_has_ended_says_why_not(people: Client, tmp_path: Path) -> None:
    import_ = imported(tmp_path)
    answer = people.post(f"{IMPORTS}{import_.id}/cancel/", CONFIRMED, follow=True)
    assert "is published and cannot be cancelled any more" in answer.content.decode()


def test_make_live_moves_the_pointer_back(people: Client, tmp_path: Path) -> None:
    older, newer = imported(tmp_path, 1), imported(tmp_path, 2)
    assert Pointer.objects.get().version == newer.id
    answer = people.post(f"{VERSIONS}{older.id}/make-live/", CONFIRMED, follow=True)
    assert f"Version {older.id} is live." in answer.content.decode()
    assert Pointer.objects.get().version == older.id


def test_make_live_of_a_dropped_version_says_why_not(people: Client, tmp_path: Path) -> None:
    older, newer = imported(tmp_path, 1), imported(tmp_path, 2)
    Version.objects.filter(pk=older.id).update(dropped_at=timezone.now())
    answer = people.post(f"{VERSIONS}{older.id}/make-live/", CONFIRMED, follow=True)
    assert "was dropped; import its file again" in answer.content.decode()
    assert Pointer.objects.get().version == newer.id


def test_a_promotion_is_found_by_its_id(people: Client, tmp_path: Path) -> None:
    import_ = imported(tmp_path, bad_share=0.0)
    row_id = (tmp_path / "sample-1.csv").read_text().partition(",")[0]
    page = text(people, f"{FIND}?id={row_id.upper()}")
    assert row_id in page
    assert f"version {import_.id}" in page


def test_finding_explains_a_bad_and_an_unknown_id(people: Client, tmp_path: Path) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    assert "Nothing is live yet" in text(people, f"{FIND}?id={unknown}")
    assert "This is no id" in text(people, f"{FIND}?id=42")
    imported(tmp_path)
    assert "has no promotion with this id" in text(people, f"{FIND}?id={unknown}")


def test_users_and_groups_have_the_theme_of_the_admin(people: Client) -> None:
    for address in ("/admin/auth/user/add/", "/admin/auth/group/add/"):
        assert re.search(r'<input[^>]*class="[^"]*border-base-200', text(people, address)), address
