"""Write store and read store as two databases: what is published is visible only after it was carried over."""

from collections.abc import Iterator

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from psycopg import sql
from pytest_django import Settings

from promotions.models import Import, ImportStatus, Pointer, Publication
from promotions.steps.importing import work_on_imports
from promotions.tables import existing_tables, table_exists
from promotions.versions import readstore
from promotions.versions.publishing import activate_version
from promotions.versions.retention import drop_unused_tables
from tests.promotions import finished, forget_everything, imported, rows, served, served_prices, stored_rows, submit

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])


class Stop(BaseException):
    """Ends a worker as a signal would, past every ``except Exception``."""


@pytest.fixture(autouse=True)
def second_database(nothing_live: None, settings: Settings) -> Iterator[None]:
    """The read store becomes a database of its own, with what migrations put into it."""
    read = connections["read"]
    one_name = str(read.settings_dict["NAME"])
    two_name = f"{one_name}_read"
    settings.READ_STORE_IS_SEPARATE = True
    _execute(f"DROP DATABASE IF EXISTS {two_name} WITH (FORCE)", f"CREATE DATABASE {two_name}")
    read.close()
    read.settings_dict["NAME"] = two_name
    try:
        call_command("migrate", database="read", verbosity=0)
        yield
    finally:
        read.close()
        read.settings_dict["NAME"] = one_name
        forget_everything()
        _execute(f"DROP DATABASE {two_name} WITH (FORCE)")


def _execute(*statements: str) -> None:
    with psycopg.connect(**connections["default"].get_connection_params(), autocommit=True) as server:
        for statement in statements:
            server.execute(sql.SQL(statement))


def read_store_tables() -> set[str]:
    return {name for name, _ in existing_tables(using="read")}


def die(*args: object, **kwargs: object) -> None:
    raise Stop


def test_read_store_holds_the_pointer_and_nothing_of_the_machinery() -> None:
    assert table_exists("promotions_pointer", using="read")
    assert not table_exists("promotions_import", using="read")
    assert not table_exists("promotions_reject", using="read")


def test_version_is_carried_over_whole_and_served(settings: Settings) -> None:
    settings.IMPORT_ROWS_PER_TABLE = 30
    import_ = imported(rows(range(100)))
    assert import_.status == ImportStatus.PUBLISHED, import_.error
    assert import_.table_count > 1
    carried = stored_rows(import_.id, import_.table_count, using="read")
    assert carried == stored_rows(import_.id, import_.table_count)
    assert len(carried) == 100
    assert served_prices(range(101)) == ["1.50"] * 100 + [None]


def test_nothing_is_visible_before_the_read_store_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    imported(rows(range(10), "1.00"))
    newer = submit(rows(range(10), "2.00"))
    with monkeypatch.context() as patch:
        patch.setattr("promotions.versions.publishing.pull_version", die)
        with pytest.raises(Stop):
            work_on_imports()
    newer.refresh_from_db()
    assert Publication.objects.filter(delivered_at=None).count() == 1
    assert (newer.status, served(1)) == (ImportStatus.CHECKING, "1.00")
    assert (finished(newer).status, served(1)) == (ImportStatus.PUBLISHED, "2.00")


def test_delivery_killed_between_two_tables_goes_on_with_the_second(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.IMPORT_ROWS_PER_TABLE = 50
    import_ = submit(rows(range(100)))
    pull = readstore._pull_table
    pulled: list[str] = []

    def pull_one(name: str) -> None:
        if pulled:
            raise Stop
        pulled.append(name)
        pull(name)

    with monkeypatch.context() as patch:
        patch.setattr(readstore, "_pull_table", pull_one)
        with pytest.raises(Stop):
            work_on_imports()
    assert read_store_tables() == set(pulled)
    assert served(1) is None
    finished(import_)
    assert stored_rows(import_.id, import_.table_count, using="read") == stored_rows(import_.id, import_.table_count)


@pytest.mark.parametrize("where", ["index_table", "create_table"])
def test_table_is_carried_over_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    import_ = submit(rows(range(10)))
    with monkeypatch.context() as patch:
        patch.setattr(f"promotions.versions.readstore.{where}", die)
        with pytest.raises(Stop):
            work_on_imports()
    assert read_store_tables() == set()
    assert (finished(import_).status, served(1)) == (ImportStatus.PUBLISHED, "1.50")


@pytest.mark.parametrize("where", ["_move_pointer", "raise_cached_pointer", "_mark_delivered"])
def test_delivery_killed_at_any_step_is_finished_by_the_next_worker(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    import_ = submit(rows(range(10)))
    with monkeypatch.context() as patch:
        patch.setattr(f"promotions.versions.publishing.{where}", die)
        with pytest.raises(Stop):
            work_on_imports()
    assert Import.objects.get().status == ImportStatus.CHECKING
    assert (finished(import_).status, served(1)) == (ImportStatus.PUBLISHED, "1.50")
    assert Pointer.objects.using("read").get().epoch == 1


def test_repeated_delivery_changes_nothing() -> None:
    import_ = imported(rows(range(10)))
    for _ in range(2):
        Publication.objects.update(delivered_at=None)
        work_on_imports()
    assert Pointer.objects.get().epoch == 1
    assert len(stored_rows(import_.id, using="read")) == 10


def test_rollback_reaches_the_read_store() -> None:
    first = imported(rows(range(10), "1.00"))
    imported(rows(range(10), "2.00"))
    activate_version(first.id)
    work_on_imports()
    assert (served(1), Pointer.objects.get().epoch) == ("1.00", 3)


def test_retention_drops_from_both_stores(settings: Settings) -> None:
    settings.IMPORT_KEEP_VERSIONS, settings.IMPORT_DROP_AFTER_SECONDS = 1, 0
    imported(rows(range(10)))
    newer = imported(rows(range(10)))
    drop_unused_tables()
    kept = {f"promotions_v{newer.id}"}
    assert read_store_tables() == kept
    assert {name for name, _ in existing_tables(using="default")} == kept


def test_reader_does_not_need_the_write_store(monkeypatch: pytest.MonkeyPatch) -> None:
    imported(rows(range(10)))
    connections["default"].close()

    def refuse(params: object) -> None:
        raise psycopg.OperationalError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(connections["default"], "get_new_connection", refuse)
        assert served_prices([1, 99]) == ["1.50", None]
