"""``archive_timestamps``: for a backup, whose archive must go as far as its database."""

from typing import Any

from django.core.management.base import CommandError

from common.audit import AuditedCommand
from timestamps.log.archiving import archive_waiting


class Command(AuditedCommand):
    help = "Archive what waits in the stream of timestamps now, instead of when it is enough or old enough."

    def handle(self, *args: Any, **options: Any) -> None:
        archived = archive_waiting()
        if archived is None:
            raise CommandError("Another archiver works; call again.")
        self.stdout.write(f"{archived:,} entries archived")
