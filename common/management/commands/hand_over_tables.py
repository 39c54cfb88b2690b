"""``hand_over_tables ROLE``: give the tables that the app makes and drops itself to the role that it runs as.

Migrations make the first of them, as the role that owns all others.
"""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import connections

from common.audit import AuditedCommand

_FOREIGN = """
SELECT oid::regclass::text FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname ~ '^(promotions_v|timestamps_record_)[0-9]'
    AND relowner <> (SELECT oid FROM pg_roles WHERE rolname = %s)
"""


class Command(AuditedCommand):
    help = "Give the tables that the app makes and drops itself to the role that it runs as."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role")

    def handle(self, *args: Any, role: str, **options: Any) -> None:
        for alias in ["default", *(["read"] if settings.READ_STORE_IS_SEPARATE else [])]:
            connection = connections[alias]
            with connection.cursor() as cursor:
                cursor.execute(_FOREIGN, [role])
                for (table,) in cursor.fetchall():
                    cursor.execute(f"ALTER TABLE {table} OWNER TO {connection.ops.quote_name(role)}")
                    self.stdout.write(f"{alias}: {table} is {role}'s")
