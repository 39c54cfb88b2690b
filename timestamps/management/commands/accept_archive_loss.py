"""``accept_archive_loss``: go on without segments that are lost for good."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from common.audit import AuditedCommand
from timestamps.locks import archiver_lease
from timestamps.log.losses import Plan, described, plan_repair, records_of, repair


class Command(AuditedCommand):
    help = (
        "Say what the archive of timestamps has lost; with --yes, record it there, so that archiving and rebuilds go"
        " on without it. Put files back from a copy instead, if there is one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--yes", action="store_true", help="Accept it. A rebuild cannot bring it back any more.")

    def handle(self, *args: Any, yes: bool, **options: Any) -> None:
        plan = plan_repair()
        self._tell(plan)
        if plan.is_empty:
            self.stdout.write("nothing is lost")
        elif not yes:
            raise CommandError("Nothing was done; accept it with --yes.")
        else:
            self._repair(plan)

    def _repair(self, plan: Plan) -> None:
        with archiver_lease() as is_mine:
            if not is_mine:
                raise CommandError("The archiver works; try again in a moment.")
            repair(plan)
        self.stdout.write(self.style.SUCCESS("done; verify_log names what was lost"))

    def _tell(self, plan: Plan) -> None:
        for manifest in plan.found:
            self.stdout.write(f"manifest {manifest.number} is made again from its segment: nothing of it is lost")
        for number in plan.again:
            self.stdout.write(f"segment {number} is archived again from the stream: nothing of it is lost")
        for loss in plan.losses:
            records = records_of(loss)
            self.stdout.write(f"lost: {described(loss)}; the database has {records:,} of them")
            if records:
                self.stdout.write(f"  replay_timestamps --from-position {loss.last.after()} copies those")
