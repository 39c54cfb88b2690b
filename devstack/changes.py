"""Notices changed source files by polling their times: a second of delay, no library."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

POLL_SECONDS = 1.0


class Changes:
    """Python files below ``root``, without hidden folders such as ``.venv``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen = self._times()
        self._next_look = 0.0

    def found(self) -> bool:
        """Whether a file was changed, added or removed since the last look; looks at most once a second."""
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + POLL_SECONDS
        before, self._seen = self._seen, self._times()
        return self._seen != before

    def _times(self) -> dict[Path, int]:
        times = {}
        for path in self._sources():
            with suppress(FileNotFoundError):  # an editor has replaced it since it was listed
                times[path] = path.stat().st_mtime_ns
        return times

    def _sources(self) -> Iterator[Path]:
        for folder in self._root.iterdir():
            if folder.is_dir() and not folder.name.startswith("."):
                yield from folder.rglob("*.py")
