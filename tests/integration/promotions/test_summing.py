"""Imports that have ended keep their numbers and lose their chunks; metrics count each of them once."""

from datetime import timedelta
from typing import NamedTuple

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from common.stores.lockkeys import LockKey
from promotions.imports.cancelling import cancel_import
from promotions.imports.progress import imports_progress
from promotions.imports.summing import sum_ended_imports
from promotions.metrics import promotions_metrics
from promotions.models import Chunk, EndedTotal, Import, ImportStatus
from promotions.steps.importing import work_on_imports
from promotions.steps.loading import load_chunk
from promotions.types import ImportProgress
from promotions.versions.retention import clean_up
from tests.promotions import finished, imported, row, rows, submit

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])


class Seen(NamedTuple):
    """What people and Prometheus see of all imports."""

    progress: list[ImportProgress]
    imports: dict[str, float]
    rows: dict[str, float]


def look() -> Seen:
    imports, outcomes, *_ = promotions_metrics()
    counts = ({next(iter(one.labels.values())): one.value for one in family.samples} for family in (imports, outcomes))
    return Seen(imports_progress(list(Import.objects.order_by("id"))), *counts)


def half_loaded(monkeypatch: pytest.MonkeyPatch) -> Import:
    """An import of which one chunk is loaded."""
    import_ = submit(rows(range(30)) + "bad\n")
    with monkeypatch.context() as patch:

        def one_chunk(chunk: Chunk) -> None:
            if chunk.number > 0:
                raise KeyboardInterrupt
            load_chunk(chunk)

        patch.setattr("promotions.steps.importing.load_chunk", one_chunk)
        with pytest.raises(KeyboardInterrupt):
            work_on_imports()
    return import_


@pytest.fixture
def imports(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[Import]:
    """One of each kind; the last has not ended."""
    settings.IMPORT_CHUNK_BYTES = 500
    published = imported(rows(range(20)) + "bad\n\n" + row(1, "2.00"))
    quarantined = imported("bad\nworse,1,2\n")
    failed = imported(b"PK\x03\x04")
    cancelled = half_loaded(monkeypatch)
    cancel_import(cancelled.id)
    return [published, quarantined, failed, cancelled, half_loaded(monkeypatch)]


def test_numbers_stay_when_the_chunks_go(imports: list[Import]) -> None:
    before = look()
    assert before.rows == {"loaded": 21 + 7 + 7, "rejected": 3, "blank": 1, "duplicate": 1}
    assert before.progress[0].reject_reasons == {"column_count": 1}
    sum_ended_imports()
    assert set(Chunk.objects.values_list("source_import", flat=True)) == {imports[-1].id}
    assert [found.is_summed for found in Import.objects.order_by("id")] == [True, True, True, True, False]
    after = look()
    for earlier, later in zip(before.progress[:-1], after.progress[:-1], strict=True):
        assert later == earlier
    assert after[1:] == before[1:]
    sum_ended_imports()
    assert look()[1:] == before[1:]


def test_clean_up_sums_and_a_second_one_changes_nothing(imports: list[Import]) -> None:
    before = look()
    clean_up()
    clean_up()
    assert look()[1:] == before[1:]
    assert EndedTotal.objects.get(name="published").count == 1


def test_active_import_ends_and_is_counted_once(imports: list[Import]) -> None:
    sum_ended_imports()
    before = look()
    assert finished(imports[-1]).status == ImportStatus.PUBLISHED
    sum_ended_imports()
    assert not Chunk.objects.exists()
    after = look()
    assert after.imports == before.imports | {"loading": 0, "published": 2}
    assert after.rows == before.rows | {"loaded": before.rows["loaded"] + 23, "rejected": before.rows["rejected"] + 1}


def test_summed_import_that_is_superseded_later_is_counted_as_such() -> None:
    first = imported(rows(range(10)))
    sum_ended_imports()
    second = submit(rows(range(10)))
    Import.objects.filter(pk=second.pk).update(created_at=timezone.now() - timedelta(days=1))
    finished(second)
    first.refresh_from_db()
    assert first.status == ImportStatus.SUPERSEDED
    assert {name: count for name, count in look().imports.items() if count} == {"superseded": 1, "published": 1}
    sum_ended_imports()
    assert {name: count for name, count in look().imports.items() if count} == {"superseded": 1, "published": 1}


def test_chunk_that_a_worker_still_loads_is_waited_for(imports: list[Import]) -> None:
    cancelled = imports[3]
    with psycopg.connect(**connection.get_connection_params()) as worker:
        worker.execute("SELECT FROM promotions_chunk WHERE source_import_id = %s LIMIT 1 FOR UPDATE", [cancelled.id])
        sum_ended_imports()
        assert Chunk.objects.filter(source_import=cancelled).exists()
        assert not Chunk.objects.filter(source_import=imports[0]).exists()
    sum_ended_imports()
    assert not Chunk.objects.filter(source_import=cancelled).exists()


def test_import_that_a_worker_still_plans_is_waited_for(imports: list[Import]) -> None:
    with psycopg.connect(**connection.get_connection_params()) as worker:
        worker.execute("SELECT pg_advisory_lock(%s, %s)", [LockKey.IMPORT, imports[3].id])
        sum_ended_imports()
        assert Chunk.objects.filter(source_import=imports[3]).exists()


def test_time_that_is_up_ends_the_summing(imports: list[Import]) -> None:
    sum_ended_imports(seconds=-1)
    assert not Import.objects.filter(is_summed=True).exists()


def test_scrape_takes_as_many_queries_for_many_imports_as_for_none(
    imports: list[Import], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(4):
        look_at = list(promotions_metrics())
    assert len(look_at) == 6
