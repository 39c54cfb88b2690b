"""Operator's door to API keys."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from common.stores import DATABASE_AWAY
from config import env
from gateway.apikeys import create_api_key, revoke_api_keys
from gateway.errors import ApiKeyExists


class Command(BaseCommand):
    help = "Make an API key and show it, this once; or revoke one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="The account: 1 to 64 letters, digits, dots, hyphens or underscores.")
        parser.add_argument("--revoke", action="store_true", help="Refuse the key of this account from now on.")

    def handle(self, *args: Any, name: str, revoke: bool, **options: Any) -> None:
        try:
            self._revoke(name) if revoke else self._create(name)
        except DATABASE_AWAY as error:
            raise CommandError(
                f"PostgreSQL does not answer; is the stack of {env.DATA_DIR} running? {error}"
            ) from error

    def _create(self, name: str) -> None:
        try:
            self.stdout.write(create_api_key(name))
        except ValidationError as error:
            raise CommandError(f"This is no name: {' '.join(error.messages)}") from error
        except ApiKeyExists as error:
            raise CommandError(error.detail) from error
        self.stderr.write(f"The key of {name}; it cannot be shown again. Send it as `Authorization: Bearer KEY`.")

    def _revoke(self, name: str) -> None:
        if not revoke_api_keys([name]):
            raise CommandError(f"There is no active key of the name {name!r}.")
        self.stdout.write(f"The key of {name} is revoked; within 5 s it is refused everywhere.")
