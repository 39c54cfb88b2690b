"""What holds for every test."""

import threading
from collections.abc import Iterator
from importlib import import_module

import hypothesis
import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker

from tests.counters import forget_everything

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("floodgate", deadline=None)
hypothesis.settings.load_profile("floodgate")

WAIT_SECONDS = 10.0
KEPT = {"django_content_type", "auth_permission"}  # what `migrate` writes of the code
# Refuse TRUNCATE, with which tests are cleaned up after.
TRUNCATE_GUARDS = {"vouchers_transfer": "transfers_stay_all", "vouchers_profile": "profiles_stay_all"}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database, which may be emptied; and addresses and hot endpoints of all apps, found while all are there.

    A test with ``available_apps`` would find only theirs, for the whole process.
    """
    import_module(settings.ROOT_URLCONF)
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table, guard in TRUNCATE_GUARDS.items():
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {guard}")
        find = _query_for_filled_tables()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: _empty_tables(find))
        yield


def _query_for_filled_tables() -> str:
    tables = sorted({*connection.introspection.django_table_names(only_existing=True)} - KEPT)
    return " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in tables)


def _empty_tables(find: str) -> None:
    """In place of Django's flush after a test that commits.

    That truncates every table and makes all content types and permissions anew: half a second, not milliseconds.
    """
    _await_readers()
    with connection.cursor() as cursor:
        cursor.execute(find)
        if filled := [name for (name,) in cursor.fetchall()]:
            cursor.execute(f"TRUNCATE {', '.join(filled)} CASCADE")


def _await_readers() -> None:
    """Threads that look after a test has its answer, which no later one may meet."""
    for thread in threading.enumerate():
        if thread.name == "promotions-pointer":
            thread.join(WAIT_SECONDS)


@pytest.fixture
def empty_counter_stores(transactional_db: None) -> Iterator[None]:
    """For tests of counters in whichever folder: ``tests.counters.committed``."""
    forget_everything()
    yield
    forget_everything()
