"""Operator's door to API keys: which there are."""

from datetime import datetime
from typing import Any

from common.commands import StoreCommand
from gateway.models import ApiKey

HEADER = ("account", "key", "state", "created", "expires", "last used", "scopes")


class Command(StoreCommand):
    help = "List all API keys by account, each by its beginning, with what it may do."

    def handle(self, *args: Any, **options: Any) -> None:
        rows = [HEADER, *map(_row, ApiKey.objects.all())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            self.stdout.write("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _row(key: ApiKey) -> tuple[str, ...]:
    instants = map(_instant, (key.created_at, key.expires_at, key.last_used_at))
    return (key.name, key.prefix, key.state, *instants, " ".join(key.scopes))


def _instant(at: datetime | None) -> str:
    return f"{at:%Y-%m-%dT%H:%MZ}" if at else "-"
