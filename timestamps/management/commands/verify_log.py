"""``verify_log``: prove that archive and stream are the whole log."""

from typing import Any

from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import Progress

from common.commands import StoreCommand
from timestamps.log.losses import described
from timestamps.log.verifying import Verdict, verify_log


class Command(StoreCommand):
    help = "Prove that the log of timestamps is whole: chain and hashes of the archive, counts, no gap to the stream."

    def handle(self, *args: Any, **options: Any) -> None:
        verdict = _verify_with_bar()
        counts = (
            f"{verdict.segments:,} segments with {verdict.archived:,} entries,"
            f" and {verdict.only_in_stream:,} more in the stream"
        )
        if verdict.problems:
            raise CommandError("\n".join([*verdict.problems, f"The log is broken: {counts}"]))
        for loss in verdict.losses:
            self.stdout.write(self.style.WARNING(f"accepted as lost: {described(loss)}"))
        but = " but for that" if verdict.losses else ""
        self.stdout.write(self.style.SUCCESS(f"The log is whole{but}: {counts}"))


def _verify_with_bar() -> Verdict:
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("segments", total=None)
        return verify_log(lambda done, total: bar.update(task, completed=done, total=total))
