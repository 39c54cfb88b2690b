"""What management commands share."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from common.errors import FloodgateError
from common.stores.guarded import STORE_AWAY


class StoreCommand(BaseCommand):
    """A command that asks stores. What it cannot do is told in one line."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Raises CommandError."""
        try:
            return super().execute(*args, **options)
        except STORE_AWAY as error:
            asked = f"A store does not answer; is the stack of {settings.DATA_DIR} running?"
            raise CommandError(f"{asked} {error}") from error
        except FloodgateError as error:
            raise CommandError(error.detail) from error
