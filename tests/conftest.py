"""What holds for every test."""

from collections.abc import Iterator
from importlib import import_module

import hypothesis
import pytest
from django.conf import settings
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests.counters import forget_everything

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("floodgate", deadline=None)
hypothesis.settings.load_profile("floodgate")

# Refuse TRUNCATE, with which tests are cleaned up after.
TRUNCATE_GUARDS = {"vouchers_transfer": "transfers_stay_all", "vouchers_profile": "profiles_stay_all"}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The test database, which may be emptied; and addresses and hot endpoints of all apps, found while all are there.

    A test with ``available_apps`` would find only theirs, for the whole process.
    """
    import_module(settings.ROOT_URLCONF)
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table, guard in TRUNCATE_GUARDS.items():
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {guard}")


@pytest.fixture
def empty_counter_stores(transactional_db: None) -> Iterator[None]:
    """For tests of counters in whichever folder: ``tests.counters.committed``."""
    forget_everything()
    yield
    forget_everything()
