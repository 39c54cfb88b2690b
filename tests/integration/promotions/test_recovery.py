"""What happens to promotions when something around them was lost, restored, or is still on its way."""

import os
import time
from pathlib import Path

import pytest
from django.conf import settings as project
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from common.stores import valkey
from promotions.imports.states import spool_folder
from promotions.models import ImportStatus, Pointer, Publication
from promotions.serving.pointer import POINTER, parse_pointer, pointer_key
from promotions.steps.importing import work_on_imports
from promotions.tables import existing_tables
from promotions.types import LiveVersion
from promotions.versions import publishing, retention
from promotions.versions.publishing import activate_version, reopen_delivery_if_behind
from promotions.versions.retention import drop_unused_tables, remove_orphaned_files
from tests.promotions import finished, forget_everything, imported, rows, served, submit

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])


def unreachable(*args: object) -> None:
    raise OperationalError("the read store is away")


def test_readers_keep_their_tables_while_deliveries_are_outstanding(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.IMPORT_KEEP_VERSIONS, settings.IMPORT_DROP_AFTER_SECONDS = 1, 0
    imported(rows(range(10), "1.00"))
    forget_everything()
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_move_pointer", unreachable)
        patch.setattr(publishing, "_raise_key", lambda live: True)
        for price in ("2.00", "3.00"):
            assert imported(rows(range(10), price)).status == ImportStatus.CHECKING
            assert drop_unused_tables() == []
        assert served(1) == "1.00"
    work_on_imports()
    assert served(1) == "3.00"
    drop_unused_tables()
    assert len(existing_tables(using="default")) == 1


def test_ten_minutes_count_from_the_delivery(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.IMPORT_KEEP_VERSIONS, settings.IMPORT_DROP_AFTER_SECONDS = 1, 2
    imported(rows(range(10), "1.00"))
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_move_pointer", unreachable)
        imported(rows(range(10), "2.00"))
        decided = time.monotonic()
        while time.monotonic() - decided < 2.1:
            time.sleep(0.1)
    work_on_imports()
    assert drop_unused_tables() == []


def test_read_store_that_lost_its_pointer_gets_it_again() -> None:
    imported(rows(range(10), "1.00"))
    Pointer.objects.all().delete()
    forget_everything()
    reopen_delivery_if_behind()
    work_on_imports()
    assert served(1) == "1.00"


def test_activating_the_live_version_repairs_a_lost_pointer() -> None:
    import_ = imported(rows(range(10), "1.00"))
    Pointer.objects.all().delete()
    forget_everything()
    activate_version(import_.id)
    assert served(1) == "1.00"


def test_reads_and_imports_survive_a_database_restored_to_an_earlier_time() -> None:
    imported(rows(range(10), "1.00"))
    later = LiveVersion(50, 50, 1)
    POINTER._live = later
    valkey.cache_store().set(pointer_key(), "50 50 1")
    assert served(1) == "1.00"
    valkey.cache_store().set(pointer_key(), "50 50 1")
    assert imported(rows(range(10), "2.00")).status == ImportStatus.PUBLISHED
    assert served(1) == "2.00"


def test_cache_follows_before_the_read_store(monkeypatch: pytest.MonkeyPatch) -> None:
    carried: list[int] = []
    move = publishing._move_pointer

    def note(live: LiveVersion) -> None:
        carried.append(parse_pointer(valkey.cache_store().get(pointer_key())).epoch)  # type: ignore[arg-type]
        move(live)

    monkeypatch.setattr(publishing, "_move_pointer", note)
    imported(rows(range(10)))
    assert carried == [1]


@pytest.mark.parametrize("change", ["truncate", "append", "replace"])
def test_file_that_changed_since_it_was_submitted_is_not_imported(change: str) -> None:
    imported(rows(range(10), "1.00"))
    import_ = submit(rows(range(20), "2.00"), "b.csv")
    path = Path(import_.path)
    if change == "truncate":
        path.write_text(rows(range(15), "2.00"))
    elif change == "append":
        path.write_text(path.read_text() + rows(range(20, 30), "2.00"))
    else:
        path.with_name("c.csv").write_text(rows(range(20), "3.00"))
        path.with_name("c.csv").rename(path)
    assert (finished(import_).status, served(1)) == (ImportStatus.FAILED, "1.00")
    assert "changed" in import_.error


def test_file_that_grew_while_it_was_loaded_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    import_ = submit(rows(range(20)))
    load = __import__("promotions.steps.importing", fromlist=["load_chunk"]).load_chunk

    def load_and_append(chunk: object) -> None:
        load(chunk)
        with Path(import_.path).open("a") as file:
            file.write(rows(range(20, 30)))

    monkeypatch.setattr("promotions.steps.importing.load_chunk", load_and_append)
    assert finished(import_).status == ImportStatus.FAILED


def test_activation_that_waits_for_a_store_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = imported(rows(range(10), "1.00"))
    imported(rows(range(10), "2.00"))
    monkeypatch.setattr(publishing, "_move_pointer", unreachable)
    monkeypatch.setattr(publishing, "DELIVERY_PATIENCE_SECONDS", 0.1)
    answer = client.post(f"/promotions/versions/{first.id}/activate")
    assert (answer.status_code, answer.json()["is_live"]) == (202, False)
    assert Publication.objects.filter(delivered_at=None).count() == 1


def test_file_that_vanishes_or_cannot_be_removed_does_not_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(project.SPOOL_DIR)
    gone, stuck, orphan = folder / "gone", folder / "stuck", folder / "orphan"
    for path in (stuck, orphan):
        path.write_text("x")
        os.utime(path, (0, 0))
    unlink = Path.unlink

    def refuse_one(path: Path, missing_ok: bool = False) -> None:
        if path == stuck:
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse_one)
    monkeypatch.setattr(retention, "_unknown_uploads", lambda: iter([gone, stuck, orphan]))
    assert remove_orphaned_files() == [orphan]
    assert not orphan.exists()


def test_files_of_killed_processes_are_removed_after_an_hour() -> None:
    uploads = Path(project.IMPORT_ROOT) / "uploads"
    uploads.mkdir()
    running = submit(rows(range(10)))
    spool_folder(running.id).mkdir()
    copy, fresh = spool_folder(999_999), uploads / "fresh.csv"
    copy.mkdir()
    orphans = [uploads / "orphan.csv", Path(project.SPOOL_DIR) / "tmpx.upload.csv", copy / "part"]
    for path in [*orphans, fresh]:
        path.write_text("x")
    for path in [*orphans, copy, spool_folder(running.id)]:
        os.utime(path, (0, 0))
    assert len(remove_orphaned_files()) == 3
    assert fresh.exists()
    assert spool_folder(running.id).exists()
    assert not copy.exists()
