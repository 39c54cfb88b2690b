"""Operator's door to API keys: revoking."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from common.audit import AuditedCommand
from gateway.keys.apikeys import VISIBLE_CHARACTERS, revoke_api_keys
from gateway.models import ApiKey


class Command(AuditedCommand):
    help = "Refuse an account's keys from now on, within 5 s everywhere. It cannot be taken back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="The account.")
        parser.add_argument("key", nargs="?", default="", help="The one that begins so, as listed; default: all.")

    def handle(self, *args: Any, **options: Any) -> None:
        name, key = options["name"], options["key"]
        found = list(ApiKey.objects.filter(name=name, prefix__startswith=key[:VISIBLE_CHARACTERS], revoked_at=None))
        revoked = revoke_api_keys([one.pk for one in found])
        if not revoked:
            raise CommandError(f"There is no active key of the name {name!r}{f' that begins {key!r}' if key else ''}.")
        self.said = " ".join(f"{one.prefix}…" for one in found)
        self.stdout.write(f"{revoked} key{'s' * (revoked > 1)} of {name} revoked; within 5 s refused everywhere.")
