"""What the first start does once the stores answer: database, migrations, the first administrator."""

import os
import secrets
import time
from pathlib import Path

import psycopg
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections

from devstack.database import create_database
from devstack.errors import DevstackError

STORE_SECONDS = 60.0
ADMIN = "admin"


def prepare_databases(urls: list[str]) -> None:
    """Create the databases that are absent and migrate and seed them. Raises: DevstackError: one does not answer."""
    for url in urls:
        _wait_for_database(url)
    for alias in ["default", *(["read"] if settings.READ_STORE_IS_SEPARATE else [])]:
        call_command("migrate", database=alias, interactive=False, verbosity=0)
    call_command("load_exchange_rates", verbosity=0)
    connections.close_all()


def ensure_admin(password_file: Path) -> None:
    """Create the superuser ``admin`` on the first start; its random password stays in ``password_file``."""
    users = get_user_model().objects
    if not password_file.exists() and not users.filter(username=ADMIN).exists():
        password = secrets.token_urlsafe(12)
        descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(password + "\n")
        users.create_superuser(ADMIN, password=password)
    connections.close_all()


def _wait_for_database(url: str) -> None:
    deadline = time.monotonic() + STORE_SECONDS
    while True:
        try:
            return _open_database(url)
        except psycopg.OperationalError as exc:
            if time.monotonic() > deadline:
                raise DevstackError(f"The database does not answer: {str(exc).splitlines()[0]}") from exc
        time.sleep(0.2)


def _open_database(url: str) -> None:
    """Connect; where that fails, create the database that may be missing."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        create_database(url)
