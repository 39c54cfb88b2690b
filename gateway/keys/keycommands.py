"""What the commands for API keys share."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.stores.guarded import DATABASE_AWAY
from config import env


class KeyCommand(BaseCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError."""
        try:
            self.run(options)
        except DATABASE_AWAY as error:
            raise CommandError(
                f"PostgreSQL does not answer; is the stack of {env.DATA_DIR} running? {error}"
            ) from error

    def run(self, options: dict[str, Any]) -> None:
        raise NotImplementedError
