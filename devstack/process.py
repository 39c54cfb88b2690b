"""One part of the stack: what to run, and the running process.

Own code instead of honcho: parts need an order, a signal and a grace each, and must not survive a SIGKILL of the
supervisor.
"""

import contextlib
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from config.env import BASE_DIR

TAIL_LINES = 20


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Part:
    """What to run and how to treat it."""

    name: str
    command: list[str]
    is_ready: Callable[[], bool] = lambda: True  # answers within about a second
    prepare: Callable[[], None] = _nothing  # runs before every start, also before a restart
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGTERM  # from the kernel, when the supervisor is gone
    grace_seconds: float = 15.0  # from stop_signal to SIGKILL
    stops_beside_others: bool = False  # need not wait for those that were started later
    restarts_on_change: bool = False  # with --reload, when a source file changes


class Process:
    """A part that runs in its own session, so that Ctrl-C reaches only the supervisor.

    Start it from the main thread: the kernel ties ``orphan_signal`` to the thread that forked.
    """

    def __init__(self, part: Part, log: Callable[[str, str], None]) -> None:
        self.part = part
        self.last_lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._log = log
        self._popen: subprocess.Popen[str] | None = None
        self._pump = threading.Thread()
        self._was_asked = False

    @property
    def pid(self) -> int:
        assert self._popen is not None
        return self._popen.pid

    @property
    def was_started(self) -> bool:
        return self._popen is not None

    def start(self) -> None:
        """Raises: DevstackError (from ``prepare``), OSError."""
        self.part.prepare()
        self._was_asked = False
        self._popen = subprocess.Popen(
            ["setpriv", f"--pdeathsig={self.part.orphan_signal.name[3:]}", "--", *self.part.command],
            cwd=BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._pump = threading.Thread(target=self._pump_log, args=(self._popen.stdout,), daemon=True)
        self._pump.start()

    def exit_code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._popen.poll() if self._popen else None

    def ask_to_end(self) -> None:
        if self._popen is not None and self._popen.poll() is None and not self._was_asked:
            self._popen.send_signal(self.part.stop_signal)
            self._was_asked = True

    def stop(self) -> None:
        """Ask it to end, wait its grace, then kill what is left of its process group."""
        self.ask_to_end()
        if self._popen is None:
            return
        if self._popen.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(self.part.grace_seconds)
        self.kill_group()
        self._popen.wait()
        self._pump.join(timeout=2)

    def last_lines_at_exit(self) -> list[str]:
        self._pump.join(timeout=2)
        return list(self.last_lines)

    def kill_group(self) -> None:
        """Kill the whole group: a master that was killed leaves its children behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _pump_log(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.last_lines.append(line.rstrip("\n"))
                self._log(self.part.name, line.rstrip("\n"))
