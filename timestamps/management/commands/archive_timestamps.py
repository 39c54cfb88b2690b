"""``archive_timestamps``: for a backup, whose archive must go as far as its database."""

from typing import Any

from django.core.management.base import CommandError

from common.audit import AuditedCommand
from common.stores.guarded import STORE_AWAY
from timestamps.errors import ArchiveIsBroken, ArchiveUnavailable
from timestamps.log.archiving import archive_waiting


class Command(AuditedCommand):
    help = "Archive what waits in the stream of timestamps now, instead of when it is enough or old enough."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            archived = archive_waiting()
        except STORE_AWAY as error:
            raise CommandError(f"A store does not answer: {error}") from error
        except (ArchiveIsBroken, ArchiveUnavailable) as error:
            raise CommandError(error.detail) from error
        if archived is None:
            raise CommandError("Another archiver works; call again.")
        self.stdout.write(f"{archived:,} entries archived")
