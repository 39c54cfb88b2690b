"""JSON with exact numbers: ``Decimal`` as it stands, which the standard library would only write as float or text."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


def dump_exactly(value: Any) -> str:
    """JSON text of dicts, lists, numbers with Decimal, and instants (RFC 3339 in UTC); anything else as its ``str``."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {dump_exactly(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(dump_exactly, value)) + "]"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return f'"{rfc3339(value)}"'
    if value is None or isinstance(value, str | int | float):
        return json.dumps(value)
    return json.dumps(str(value))


def rfc3339(instant: datetime, timespec: str = "auto") -> str:
    """In UTC. ``timespec`` as of ``datetime.isoformat``."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"
