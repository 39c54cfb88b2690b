"""Several workers on the same imports at the same time."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
from django.db import IntegrityError, connections
from pytest_django import Settings

from promotions.locks import waiting_chunks
from promotions.models import Chunk, Import, ImportStatus, Publication, Version
from promotions.steps import importing
from promotions.steps.importing import work_on_imports
from promotions.steps.loading import load_chunk
from promotions.versions.publishing import activate_version
from tests.promotions import accounting, drop_all_versions, forget_everything, imported, rows, stored_rows, submit

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])

WORKERS = 4


@pytest.fixture(autouse=True)
def nothing_live(transactional_db: None, tmp_path: Path, settings: Settings) -> Iterator[None]:
    settings.IMPORT_ROOT = settings.SPOOL_DIR = tmp_path
    settings.IMPORT_CHUNK_BYTES, settings.IMPORT_ROWS_PER_TABLE = 2_000, 300
    forget_everything()
    yield
    drop_all_versions()
    forget_everything()


def side_by_side(*works: Callable[[], object]) -> None:
    """Run each on a thread of its own; raises what one raises."""

    def on_own_connections(work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(on_own_connections, work) for work in works]:
            done.result(60)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids of the chunks whose load was begun; every worker has its first one before any goes on."""
    begun: list[int] = []
    all_have_one = threading.Barrier(WORKERS, timeout=10)

    def load(chunk: Chunk) -> None:
        begun.append(chunk.id)
        if len(begun) <= WORKERS:
            all_have_one.wait()
        load_chunk(chunk)

    monkeypatch.setattr(importing, "load_chunk", load)
    return begun


def status_of(import_: Import) -> str:
    return Import.objects.get(pk=import_.id).status


def test_workers_side_by_side_load_every_chunk_once(loaded: list[int]) -> None:
    import_ = submit(rows(range(2_000)) + rows(range(100), "2.00"))
    importing._advance(import_.id)
    side_by_side(*[work_on_imports] * WORKERS)
    work_on_imports()
    import_.refresh_from_db()
    assert import_.status == ImportStatus.PUBLISHED, import_.error
    assert sorted(loaded) == sorted(import_.chunks.values_list("id", flat=True))
    assert accounting(import_) == (2_000, 0, 100, 0)
    assert len(stored_rows(import_.id, import_.table_count)) == 2_000


def load_one_chunk_twice(import_: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers that do not lock take the same chunk and load it together."""
    both = threading.Barrier(2, timeout=10)

    def load_when_both_have_it(chunk: Chunk) -> None:
        both.wait()
        load_chunk(chunk)

    importing._advance(import_.id)
    monkeypatch.setattr(importing, "piece_lease", lambda *piece: nullcontext(True))
    monkeypatch.setattr(importing, "count_start", lambda chunks, number: chunks.get(pk=number))
    monkeypatch.setattr(importing, "lock_work", lambda chunks, number: chunks.get(pk=number))
    work = partial(importing._work_on_next, waiting_chunks(), load_when_both_have_it)
    side_by_side(work, work)


def test_without_the_lock_a_constraint_still_refuses_the_second_load(monkeypatch: pytest.MonkeyPatch) -> None:
    import_ = submit(rows(range(20)))
    with pytest.raises(IntegrityError):
        load_one_chunk_twice(import_, monkeypatch)
    assert len(stored_rows(import_.id)) == 20


def test_control_without_lock_and_constraint_every_row_is_there_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promotions.steps.loading.keep_digests", lambda *args: None)
    import_ = submit(rows(range(20)))
    load_one_chunk_twice(import_, monkeypatch)
    assert len(stored_rows(import_.id)) == 40


def test_many_imports_at_once_end_with_the_newest_alone_live() -> None:
    imports = [submit(rows(range(100 + n)), f"{n}.csv") for n in range(6)]
    side_by_side(*[work_on_imports] * WORKERS)
    work_on_imports()
    newest = imports[-1]
    assert [status_of(found) for found in imports] == ["superseded"] * 5 + ["published"]
    assert [version.number for version in Version.objects.filter(retired_at=None)] == [newest.id]
    assert not Publication.objects.filter(delivered_at=None).exists()


def test_rollbacks_at_once_take_an_epoch_each_and_leave_one_version_live() -> None:
    versions = [imported(rows(range(100))) for _ in range(3)]
    side_by_side(*[partial(activate_version, found.id) for found in versions[:2]] * 3)
    epochs = sorted(Publication.objects.values_list("epoch", flat=True))
    assert epochs == list(range(1, len(epochs) + 1))
    live = Version.objects.get(retired_at=None).number
    assert live == Publication.objects.latest("epoch").version_id
    assert live in [found.id for found in versions[:2]]
