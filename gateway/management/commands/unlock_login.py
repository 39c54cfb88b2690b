"""Operator's door to the lock on a user whose password was tried too often."""

from argparse import ArgumentParser
from typing import Any

from axes.utils import reset

from common.audit import AuditedCommand


class Command(AuditedCommand):
    help = "Let a user log in again at once, from wherever wrong passwords were tried."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="The user.")

    def handle(self, *args: Any, **options: Any) -> None:
        is_unlocked = reset(username=options["name"])
        self.stdout.write(f"{options['name']} may log in." if is_unlocked else f"{options['name']} was not locked out.")
