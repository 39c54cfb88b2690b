"""``manage.py set_up``: what a start of the stack does once its stores answer."""

from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from config import env
from devstack.errors import DevstackError
from devstack.setup import ensure_admin, prepare_databases


class Command(BaseCommand):
    help = "Make and migrate the databases and the first administrator; `make run` does it."
    requires_system_checks = []  # some of them ask the stores

    def handle(self, **_: Any) -> None:
        try:
            prepare_databases([url for url in (env.DATABASE_URL, env.READ_DATABASE_URL) if url])
            self.check(databases=["default"])  # now that the stores can be asked
            ensure_admin(env.DATA_DIR / "admin-password")
        except (DevstackError, OSError, DatabaseError, psycopg.Error) as exc:
            raise CommandError(" ".join(str(exc).split())) from exc
