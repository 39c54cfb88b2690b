"""What a killed supervisor leaves behind, found again by the sessions that it wrote down.

The kernel signals the parts when the supervisor is gone (``Part.orphan_signal``). This is for what outlives that:
children of a part that was killed too, or a part that is still busy ending.
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

END_SECONDS = 15.0


class Record:
    """The parts of a running stack in DATA_DIR/parts.json: name, session id and when its leader started."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "parts.json"

    def write(self, pids: dict[str, int]) -> None:
        text = json.dumps({name: {"pid": pid, "started": _started(pid)} for name, pid in pids.items()})
        fresh = self._path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self._path)

    def end_leftovers(self, end_seconds: float = END_SECONDS) -> None:
        """End every process that an earlier stack on this folder left, gently at first."""
        sessions = {part["pid"] for part in self._read().values() if _is_same(part["pid"], part["started"])}
        end_processes(lambda: _members(sessions), end_seconds)

    def _read(self) -> dict[str, dict[str, int]]:
        try:
            return dict(json.loads(self._path.read_text()))
        except (FileNotFoundError, ValueError):
            return {}


def end_processes(find: Callable[[], list[int]], seconds: float) -> list[int]:
    """End what ``find`` finds: SIGINT, ``seconds`` later SIGKILL. Returns what is left as long after that."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        deadline = time.monotonic() + seconds
        _signal(pids := find(), sign)
        while pids and time.monotonic() < deadline:
            time.sleep(0.05)
            pids = find()
        if not pids:
            break
    return pids


def _started(pid: int) -> int:
    """Start time in clock ticks since boot, which tells a process from a later one of the same pid; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0


def _is_same(pid: int, started: int) -> bool:
    """True also when the leader is gone: its number is not given out while its session has members."""
    return _started(pid) in (0, started)


def _members(sessions: set[int]) -> list[int]:
    return [int(p.name) for p in Path("/proc").glob("[0-9]*") if _session(int(p.name)) in sessions]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def _signal(pids: list[int], sign: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, sign)
