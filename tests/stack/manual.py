"""Commands as the docs give them, for tests that do what it says and nothing else."""

import re
from pathlib import Path

MANUAL = Path("docs/operations.md")
MONITORING = Path("docs/monitoring.md")


def commands(root: Path, heading: str, page: Path = MANUAL) -> list[str]:
    """Lines of the fenced blocks below ``heading``, up to the next one. Raises ValueError: there are none."""
    text = (root / page).read_text(encoding="utf-8")
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^```\n(.*?)^```", found[1], re.DOTALL | re.MULTILINE) if found else []
    lines = [line.split("  #")[0].rstrip() for block in blocks for line in block.splitlines()]
    if not lines:
        raise ValueError(f"{page} has no commands below {heading!r}")
    return lines
