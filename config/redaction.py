"""What must not get into logs: secrets, personal data, and rows that PostgreSQL quotes in its errors."""

import json
import re
from typing import Any

from config import env

_NEXT_EXCEPTION = r"\n\n(?:The above exception|During handling of)"
_GIVEN = (env.SECRET_KEY, env.DATABASE_PASSWORD, env.VALKEY_PASSWORD, env.WALLET_API_KEY, env.OPENEXCHANGERATES_APP_ID)
_SECRETS = [secret for secret in _GIVEN if secret]


def _spelled(secrets: list[str]) -> set[str]:
    """As they are, and as ``repr`` and JSON write them."""
    return {*secrets, *(repr(secret)[1:-1] for secret in secrets), *(json.dumps(secret)[1:-1] for secret in secrets)}


_PATTERNS: list[tuple[re.Pattern[str], str]] = [
    (re.compile("|".join(map(re.escape, _spelled(_SECRETS)))), "[secret]"),
    (re.compile(r"(://[^\s:/@]*:)[^\s@]+@"), r"\1[secret]@"),
    (re.compile(r"\bfg_[A-Za-z0-9_-]{8,}"), "[API key]"),
    (re.compile(r"(?:\+|%2[Bb])[1-9][0-9]{6,14}\b"), "[phone number]"),
    # "Failing row contains (...)", "Key (code)=(...) exists", "COPY of line 3: ...", and the statement with its values:
    # values have lines too, so all goes that comes after. `repr` writes their ends as two characters.
    (
        re.compile(rf"(^|\\n)(DETAIL|CONTEXT|LINE \d+):(?! \[left out\]).*?(?={_NEXT_EXCEPTION}|\Z)", re.M | re.S),
        r"\1\2: [left out]",
    ),
]


def redact(text: str) -> str:
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def redact_event(logger: object, method: str, event: Any) -> Any:
    """A processor of structlog, before the event is rendered as JSON."""
    return redacted(event)


def redact_line(logger: object, method: str, line: str) -> str:
    """The same for an event that is rendered already."""
    return redact(line)


def redacted(value: Any) -> Any:
    """The same of everything that is in it."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: redacted(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(inner) for inner in value]
    return value
