"""``flush_counters``: bring what was counted so far into the database now."""

from typing import Any

from django.core.management.base import CommandError

from common.audit import AuditedCommand
from common.stores.guarded import STORE_AWAY
from config import env
from counters.buffer import read_backlog
from counters.flushing import flush_counters


class Command(AuditedCommand):
    help = "Bring what was counted so far into the database now; flushers do the same every two seconds."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            written = flush_counters()
            waiting = read_backlog().keys
        except STORE_AWAY as error:
            raise CommandError(f"A store does not answer; is the stack of {env.DATA_DIR} running? {error}") from error
        self.stdout.write(f"{written:,} deltas written, {waiting:,} keys wait")
