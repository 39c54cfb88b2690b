"""``flush_counters``: bring what was counted so far into the database now."""

from typing import Any

from common.audit import AuditedCommand
from counters.buffer import read_backlog
from counters.flushing import flush_counters


class Command(AuditedCommand):
    help = "Bring what was counted so far into the database now; flushers do the same every two seconds."

    def handle(self, *args: Any, **options: Any) -> None:
        written = flush_counters()
        waiting = read_backlog().keys
        self.stdout.write(f"{written:,} deltas written, {waiting:,} keys wait")
