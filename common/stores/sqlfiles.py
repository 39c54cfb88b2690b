"""SQL in files of named blocks, for set-based statements that the ORM would hide.

A block starts with ``-- name: <name>`` and ends where the next one starts; its comments stay in the file.
"""

import re
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n", re.MULTILINE)


def load_sql(path: Path) -> dict[str, str]:
    """Statement by name."""
    _, *parts = _NAME.split(path.read_text(encoding="utf-8"))
    return {name: _COMMENT.sub("", text).strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}
