"""How long a connection that holds leases may be silent, as PostgreSQL has it."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import Error, connection, transaction

from common.stores.leases import lease, patience
from common.stores.lockkeys import LockKey
from timestamps.log.archivestore import ArchiveStore

pytestmark = pytest.mark.django_db(transaction=True)
KIND = LockKey.GENERATION


def allowed() -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('idle_session_timeout'), current_setting('idle_in_transaction_session_timeout')"
        )
        found: tuple[str, str] = cursor.fetchone()
    return found


def held_elsewhere(number: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE datname = current_database() AND classid = %s AND objid = %s",
            [KIND, number],
        )
        return bool(cursor.fetchone()[0])


def test_a_lease_within_another_leaves_the_others_silence_as_it_was() -> None:
    before = allowed()
    with lease(KIND, 1, seconds=60):
        assert allowed() == ("1min", "1min")
        with lease(KIND, 2, seconds=5):
            assert allowed() == ("5s", "5s")
        assert allowed() == ("1min", "1min")
        assert (held_elsewhere(1), held_elsewhere(2)) == (True, False)
    assert allowed() == before
    assert not held_elsewhere(1)


def test_a_longer_lease_within_a_short_one_does_not_keep_others_out_for_longer() -> None:
    with lease(KIND, 1, seconds=5), lease(KIND, 2, seconds=60):
        assert allowed() == ("5s", "5s")


def test_patience_lasts_for_its_block_also_in_a_transaction() -> None:
    with lease(KIND, 1, seconds=5), transaction.atomic():
        with patience(120):
            assert allowed() == ("2min", "2min")
        assert allowed() == ("5s", "5s")


def test_patience_asks_nothing_of_a_connection_without_a_lease() -> None:
    before = allowed()
    with patience(120):
        assert allowed() == before


@pytest.mark.parametrize("is_patient", [True, False])
def test_work_that_takes_longer_than_its_lease_keeps_it_by_patience_alone(is_patient: bool) -> None:
    def work() -> tuple[str, str]:
        with lease(KIND, 1, seconds=1):
            with patience(60 if is_patient else 1):
                time.sleep(1.5)  # what it is about
            return allowed()

    if is_patient:
        assert work() == ("1s", "1s")
    else:
        with pytest.raises(Error):
            work()
        connection.close()


def test_an_archive_that_takes_long_does_not_cost_the_consumer_its_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ArchiveStore(str(tmp_path))
    store.write("segment", b"content")
    read = store._files.cat_file

    def read_slowly(name: str) -> bytes:
        time.sleep(1.5)
        return bytes(read(name))

    monkeypatch.setattr(store, "_files", SimpleNamespace(cat_file=read_slowly))
    with lease(KIND, 1, seconds=1):
        assert store.read("segment") == b"content"
        assert allowed() == ("1s", "1s")
