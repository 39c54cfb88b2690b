"""Lua scripts in files, which may share functions.

A line ``-- include: <file>`` stands for the text of that file, named from the script's folder.
"""

import re
from pathlib import Path

_INCLUDE = re.compile(r"^-- include: (\S+)$", re.MULTILINE)


def load_lua(path: Path) -> str:
    """The script with what it includes, as the server takes it."""
    text = path.read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda found: load_lua(path.parent / found[1]), text)
