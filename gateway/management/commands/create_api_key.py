"""Operator's door to API keys: making one."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.utils import timezone

from common.audit import AuditedCommand
from common.text.rfc3339 import read_instant
from gateway.keys.apikeys import create_api_key
from gateway.keys.scopes import KeyScope

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Command(AuditedCommand):
    help = "Make an API key and show it, this once. An account has at most two, so that its clients can change over."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="The account: 1 to 64 letters, digits, dots, hyphens or underscores.")
        parser.add_argument(
            "--scopes",
            nargs="+",
            required=True,
            choices=KeyScope.values,
            metavar="SCOPE",
            help="What it may do: " + "; ".join(f"{scope.value} ({scope.label})" for scope in KeyScope) + ".",
        )
        parser.add_argument("--expires", type=_end, metavar="WHEN", help="A day or an instant in UTC; default: never.")

    def handle(self, *args: Any, **options: Any) -> None:
        name, scopes = options["name"], {KeyScope(scope) for scope in options["scopes"]}
        try:
            made = create_api_key(name, scopes, options["expires"])
        except ValidationError as error:
            raise CommandError(f"This is no name: {' '.join(error.messages)}") from error
        self.said = f"{made.row.prefix}… may {' '.join(made.row.scopes)} until {made.row.expires_at or 'revoked'}"
        self.stdout.write(made.key)
        self.stderr.write(f"The key of {name}; it cannot be shown again. Send it as `Authorization: Bearer KEY`.")


def _end(text: str) -> datetime:
    """A day stands for its beginning. Raises ArgumentTypeError."""
    try:
        found = _beginning(date.fromisoformat(text)) if _DAY.fullmatch(text) else read_instant(text)
    except ValueError as error:
        raise ArgumentTypeError("must be a day like 2027-01-31 or an instant like 2027-01-31T18:00:00Z") from error
    if found <= timezone.now():
        raise ArgumentTypeError("is past")
    return found


def _beginning(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
