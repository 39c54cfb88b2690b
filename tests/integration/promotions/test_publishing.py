"""Which import is served in the end: overlaps, cancelling, rollback, retention, and every step interrupted."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from pytest_django import Settings

from common.stores import valkey
from common.stores.lockkeys import LockKey
from promotions.errors import ImportFinished, ImportNotFound, VersionGone, VersionNotFound
from promotions.imports.cancelling import cancel_import
from promotions.imports.progress import import_progress
from promotions.models import ACTIVE, Chunk, Import, ImportStatus, Pointer, Publication, Reject, Version
from promotions.serving.pointer import POINTER, parse_pointer, pointer_key
from promotions.steps import importing
from promotions.steps.importing import work_on_imports
from promotions.steps.loading import load_chunk
from promotions.tables import existing_tables
from promotions.versions.publishing import activate_version
from promotions.versions.retention import drop_unused_tables
from tests.promotions import accounting, finished, imported, rejects_of, row, rows, served, stored_rows, submit

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])


class Stop(BaseException):
    """Ends a worker as a signal would, past every ``except Exception``."""


def work_until(status: ImportStatus, import_: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work until ``import_`` reaches ``status``; its own step is not begun."""
    steps = dict(importing._STEPS)

    def guarded(step: Callable[[Import], bool]) -> Callable[[Import], bool]:
        def run(current: Import) -> bool:
            if (current.id, current.status) == (import_.id, status):
                raise Stop
            return step(current)

        return run

    with monkeypatch.context() as patch:
        for name, step in steps.items():
            patch.setitem(importing._STEPS, name, guarded(step))
        with pytest.raises(Stop):
            work_on_imports()
    import_.refresh_from_db()
    assert import_.status == status


def stop_at(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Die instead of calling ``where``; work goes on as far as that."""

    def die(*args: object, **kwargs: object) -> None:
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(where, die)
        with pytest.raises(Stop):
            work_on_imports()


def states(*imports: Import) -> list[str]:
    return [Import.objects.get(pk=found.id).status for found in imports]


def live() -> int:
    return Version.objects.get(retired_at=None).number


def cached_epoch() -> int:
    value = valkey.cache_store().get(pointer_key())
    assert isinstance(value, bytes)
    return parse_pointer(value).epoch


def test_newer_submission_wins_when_it_finishes_last() -> None:
    older, newer = submit(rows(range(10), "1.00"), "a.csv"), submit(rows(range(10), "2.00"), "b.csv")
    work_on_imports()
    assert states(older, newer) == ["superseded", "published"]
    assert (live(), served(1)) == (newer.id, "2.00")


def test_newer_submission_wins_when_it_finishes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    older = submit(rows(range(10), "1.00"), "a.csv")
    work_until(ImportStatus.CHECKING, older, monkeypatch)
    newer = submit(rows(range(10), "2.00"), "b.csv")
    with leased_by_another_worker(older):
        finished(newer)
    assert states(older, newer) == ["superseded", "published"]
    work_on_imports()
    assert states(older, newer) == ["superseded", "published"]
    assert (live(), served(1)) == (newer.id, "2.00")


@contextmanager
def leased_by_another_worker(import_: Import) -> Iterator[None]:
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT pg_advisory_lock(%s, %s)", [LockKey.IMPORT, import_.id])
        yield
        other.execute("SELECT pg_advisory_unlock_all()")  # the server may notice the end of a connection later


def test_import_that_was_decided_but_not_delivered_is_superseded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    older, newer = submit(rows(range(10), "1.00"), "a.csv"), submit(rows(range(10), "2.00"), "b.csv")
    with monkeypatch.context() as patch:
        patch.setattr("promotions.steps.importing.deliver_publications", lambda: False)
        work_on_imports()
    assert Publication.objects.filter(delivered_at=None).count() == 2
    work_on_imports()
    assert states(older, newer) == ["superseded", "published"]
    assert (live(), served(1)) == (newer.id, "2.00")


def test_older_import_never_replaces_a_newer_version(monkeypatch: pytest.MonkeyPatch) -> None:
    older = submit(rows(range(10), "1.00"), "a.csv")
    work_until(ImportStatus.CHECKING, older, monkeypatch)
    newer = submit(rows(range(10), "2.00"), "b.csv")
    with leased_by_another_worker(older):
        monkeypatch.setattr("promotions.versions.publishing._supersede_overlapping", lambda newer: None)
        finished(newer)
    assert finished(older).status == ImportStatus.SUPERSEDED
    assert (live(), served(1)) == (newer.id, "2.00")


@pytest.mark.parametrize("status", ACTIVE)
def test_import_can_be_cancelled_at_every_state(status: ImportStatus, monkeypatch: pytest.MonkeyPatch) -> None:
    before = imported(rows(range(10), "7.00"), "live.csv")
    import_ = submit(rows(range(10)))
    if status == ImportStatus.PLANNING:
        stop_at(monkeypatch, "promotions.steps.staging.Plan")
    elif status != ImportStatus.QUEUED:
        work_until(status, import_, monkeypatch)
    assert cancel_import(import_.id).status == ImportStatus.CANCELLED
    assert finished(import_).status == ImportStatus.CANCELLED
    drop_unused_tables()
    assert existing_tables(using="default") == [(f"promotions_v{before.id}", before.id)]
    assert served(1) == "7.00"


def test_import_cancelled_in_the_middle_of_a_chunk_stays_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    import_ = submit(rows(range(10)))
    load = load_chunk

    def cancelled_meanwhile(chunk: Chunk) -> None:
        load(chunk)
        Import.objects.filter(pk=import_.id).update(status=ImportStatus.CANCELLED, finished_at=timezone.now())

    monkeypatch.setattr("promotions.steps.importing.load_chunk", cancelled_meanwhile)
    assert finished(import_).status == ImportStatus.CANCELLED
    assert not Version.objects.exists()


@pytest.mark.parametrize("where", ["promotions.steps.staging._keep", "promotions.steps.checking.trim_rejects"])
def test_import_cancelled_while_a_step_runs_stays_cancelled(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    import_ = submit(rows(range(10)))

    def cancelled_meanwhile(*args: object) -> None:
        Import.objects.filter(pk=import_.id).update(status=ImportStatus.CANCELLED, finished_at=timezone.now())

    monkeypatch.setattr(where, cancelled_meanwhile)
    assert finished(import_).status == ImportStatus.CANCELLED
    assert not Version.objects.exists()


def test_ended_import_cannot_be_cancelled() -> None:
    import_ = imported(rows(range(10)))
    with pytest.raises(ImportFinished):
        cancel_import(import_.id)
    with pytest.raises(ImportNotFound):
        cancel_import(import_.id + 1)
    assert states(import_) == ["published"]


def test_decided_import_cannot_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    import_ = submit(rows(range(10)))
    stop_at(monkeypatch, "promotions.versions.publishing._deliver")
    with pytest.raises(ImportFinished):
        cancel_import(import_.id)
    assert finished(import_).status == ImportStatus.PUBLISHED


def test_epochs_only_grow_through_rollback_and_return() -> None:
    first, second = imported(rows(range(10), "1.00")), imported(rows(range(10), "2.00"))
    seen = []
    for number, price in ((first.id, "1.00"), (second.id, "2.00"), (first.id, "1.00")):
        activate_version(number)
        assert (live(), served(1)) == (number, price)
        seen.append((POINTER.live.epoch, cached_epoch(), Pointer.objects.get().epoch))
    assert seen == [(3, 3, 3), (4, 4, 4), (5, 5, 5)]


def test_activating_the_live_version_changes_nothing() -> None:
    import_ = imported(rows(range(10)))
    activate_version(import_.id)
    assert Publication.objects.count() == 1


def test_unknown_version_cannot_be_activated() -> None:
    import_ = submit(rows(range(10)))
    with pytest.raises(VersionNotFound):
        activate_version(import_.id)


def test_delivery_of_an_earlier_epoch_moves_nothing_back() -> None:
    imported(rows(range(10), "1.00"))
    newer = imported(rows(range(10), "2.00"))
    Publication.objects.filter(epoch=1).update(delivered_at=None)
    work_on_imports()
    assert (Pointer.objects.get().version, cached_epoch(), served(1)) == (newer.id, 2, "2.00")


def test_repeated_delivery_changes_nothing() -> None:
    import_ = imported(rows(range(10)))
    for _ in range(3):
        Publication.objects.update(delivered_at=None)
        work_on_imports()
    assert (Pointer.objects.get().epoch, states(import_), served(1)) == (1, ["published"], "1.50")


def test_only_kept_versions_survive_retention(settings: Settings) -> None:
    settings.IMPORT_KEEP_VERSIONS, settings.IMPORT_DROP_AFTER_SECONDS = 2, 0
    import_ = [imported(rows(range(10), f"{n}.00")) for n in range(4)]
    assert set(drop_unused_tables()) == {f"promotions_v{old.id}" for old in import_[:2]}
    assert {version for _, version in existing_tables(using="default")} == {import_[2].id, import_[3].id}
    with pytest.raises(VersionGone):
        activate_version(import_[0].id)
    activate_version(import_[2].id)
    assert served(1) == "2.00"
    assert drop_unused_tables() == []


def test_version_that_readers_left_a_moment_ago_is_not_dropped(settings: Settings) -> None:
    settings.IMPORT_KEEP_VERSIONS = 1
    imported(rows(range(10)))
    imported(rows(range(10)))
    assert drop_unused_tables() == []


def test_live_version_survives_retention_after_a_rollback(settings: Settings) -> None:
    settings.IMPORT_KEEP_VERSIONS, settings.IMPORT_DROP_AFTER_SECONDS = 1, 0
    import_ = [imported(rows(range(10), f"{n}.00")) for n in range(3)]
    activate_version(import_[0].id)
    drop_unused_tables()
    assert {version for _, version in existing_tables(using="default")} == {import_[0].id}
    assert served(1) == "0.00"


def test_table_of_a_running_import_is_not_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    import_ = submit(rows(range(10)))
    work_until(ImportStatus.INDEXING, import_, monkeypatch)
    assert drop_unused_tables() == []
    assert finished(import_).status == ImportStatus.PUBLISHED


def test_import_that_is_published_while_retention_looks_keeps_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    import_ = submit(rows(range(10)))
    work_until(ImportStatus.CHECKING, import_, monkeypatch)
    is_first = True
    exists = QuerySet.exists

    def publish_after_the_first_look(query: QuerySet[Import]) -> bool:
        nonlocal is_first
        answer = exists(query)
        if is_first:
            is_first = False
            finished(import_)
        return answer

    with monkeypatch.context() as patch:
        patch.setattr("django.db.models.query.QuerySet.exists", publish_after_the_first_look)
        assert drop_unused_tables() == []
    assert served(1) == "1.50"


def test_reader_that_slept_through_a_drop_resolves_again(settings: Settings) -> None:
    settings.IMPORT_KEEP_VERSIONS, settings.IMPORT_DROP_AFTER_SECONDS = 1, 0
    imported(rows(range(10), "1.00"))
    assert served(1) == "1.00"
    slept = POINTER.live
    cached = str(valkey.cache_store().get(pointer_key()), "ascii")  # type: ignore[arg-type]
    imported(rows(range(10), "2.00"))
    drop_unused_tables()
    POINTER._live = slept
    valkey.cache_store().set(pointer_key(), cached)
    assert served(2) == "2.00"


STEPS = [
    "promotions.steps.importing.load_chunk",
    "promotions.steps.loading.save_rejects",
    "promotions.steps.loading.keep_digests",
    "promotions.steps.loading._account",
    "promotions.steps.staging.unpack",
    "promotions.steps.staging.create_table",
    "promotions.steps.staging.Plan",
    "promotions.steps.staging._keep",
    "promotions.steps.staging.move_on",
    "promotions.steps.indexing.remove_duplicates",
    "promotions.steps.indexing.index_table",
    "promotions.steps.indexing.forget_digests",
    "promotions.steps.indexing.move_on",
    "promotions.steps.checking.totals_of",
    "promotions.steps.checking.trim_rejects",
    "promotions.steps.checking.publish_import",
    "promotions.versions.publishing._decide",
    "promotions.versions.publishing._supersede_overlapping",
    "promotions.versions.publishing._deliver",
    "promotions.versions.publishing._move_pointer",
    "promotions.versions.publishing.raise_cached_pointer",
    "promotions.versions.publishing._mark_delivered",
    "promotions.versions.publishing.finish_import",
]


@pytest.mark.parametrize("where", STEPS)
@pytest.mark.parametrize("calls_before", [0, 1, 2])
def test_worker_killed_at_any_step_leaves_work_that_another_finishes_exactly(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, where: str, calls_before: int
) -> None:
    settings.IMPORT_CHUNK_BYTES, settings.IMPORT_ROWS_PER_TABLE = 500, 20
    before = imported(rows(range(20), "7.00"), "live.csv")
    import_ = submit(rows(range(30), "1.00") + "bad\n\n" + rows(range(10), "2.00"))
    _die_at_call(monkeypatch, where, calls_before)
    assert served(1) in ("7.00", "2.00")
    finished(import_)
    assert states(before, import_) == ["published", "published"], import_.error
    assert accounting(import_) == (30, 1, 10, 1)
    assert import_.line_count == 42
    assert [line for line, *_ in rejects_of(import_)] == [*range(1, 11), 31]
    expected = [(n, "1.000000", n + 1) for n in range(10, 30)] + [(n, "2.000000", n + 33) for n in range(10)]
    stored = [
        (row_id.int & 0xFFFF, price, line) for row_id, price, line in stored_rows(import_.id, import_.table_count)
    ]
    assert stored == expected
    assert [epoch.epoch for epoch in Publication.objects.filter(delivered_at__isnull=False)] == [2, 1]
    assert (live(), served(1), served(29)) == (import_.id, "2.00", "1.00")
    assert import_progress(import_.id).bytes_done == import_.bytes_total


def _die_at_call(monkeypatch: pytest.MonkeyPatch, where: str, calls_before: int) -> None:
    """Die at the call number ``calls_before`` (from 0) of ``where``, if it is called that often."""
    module, _, name = where.rpartition(".")
    original = getattr(importlib.import_module(module), name)
    calls = iter(range(calls_before))

    def die(*args: object, **kwargs: object) -> object:
        if next(calls, None) is None:
            raise Stop
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(where, die)
        try:
            work_on_imports()
        except Stop:
            return


def test_rejects_are_not_kept_twice_by_a_repeated_chunk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.IMPORT_MAX_REJECT_SHARE = 1.0
    import_ = submit("bad\n" * 5 + row(1))
    stop_at(monkeypatch, "promotions.steps.loading._account")
    assert not Reject.objects.exists()
    assert accounting(finished(import_)) == (1, 5, 0, 0)
    assert Reject.objects.count() == 5
