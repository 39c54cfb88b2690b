"""Starts parts in order, restarts what dies, stops in reverse order, merges the logs."""

import contextlib
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import TextIO

from devstack.errors import DevstackError, PartKeepsDying, Stopped
from devstack.leftovers import Record
from devstack.process import Part, Process

DEATHS_ALLOWED = 3
DEATHS_WINDOW_SECONDS = 60.0
READY_SECONDS = 600.0  # a large crash recovery; a part that cannot start dies much earlier
POLL_SECONDS = 0.1
COLOURS = (36, 33, 32, 35, 34, 31)


class Log:
    """Lines of all parts on one stream, each behind the name of its part; in colour on a terminal."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._colours: dict[str, int] = {}

    def __call__(self, name: str, line: str) -> None:
        with self._lock, contextlib.suppress(OSError):  # a reader that has gone must not stop the parts
            self._stream.write(f"{self._prefix(name)} {line}\n")
            self._stream.flush()

    def _prefix(self, name: str) -> str:
        prefix = f"{name:<15}|"
        if not self._stream.isatty():
            return prefix
        colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
        return f"\x1b[{colour}m{prefix}\x1b[0m"


class Supervisor:
    """Keeps parts running until ``stopping`` is set. Every wait raises ``Stopped`` then."""

    def __init__(self, log: Log, record: Record, stopping: threading.Event) -> None:
        self._log = log
        self._record = record
        self._stopping = stopping
        self._processes: list[Process] = []
        self._deaths: dict[str, deque[float]] = defaultdict(deque)

    def start(self, part: Part) -> None:
        """Start ``part`` without waiting. Raises: DevstackError, OSError."""
        process = Process(part, self._log)
        self._processes.append(process)
        self._launch(process)

    def wait_for(self, part: Part) -> None:
        """Wait until ``part`` is ready, keeping all others running.

        Raises: PartKeepsDying, Stopped, DevstackError: not ready after READY_SECONDS.
        """
        deadline = time.monotonic() + READY_SECONDS
        while not part.is_ready():
            self.tick()
            if time.monotonic() > deadline:
                raise DevstackError(f"{part.name} was not ready after {READY_SECONDS:.0f} s")

    def run(self, part: Part) -> None:
        """Run ``part`` to its end, keeping all others running.

        Raises: Stopped, DevstackError: it failed; its last line says why.
        """
        process = Process(part, self._log)
        process.start()
        try:
            while (code := process.exit_code()) is None:
                self.tick()
        finally:
            process.stop()
        if code:
            lines = process.last_lines_at_exit() or [f"{part.name} ended with code {code}"]
            raise DevstackError(lines[-1].removeprefix("CommandError: "))

    def tick(self) -> None:
        """Start again what has died, then rest for a moment. Raises: PartKeepsDying, Stopped."""
        for process in self._processes:
            if (code := process.exit_code()) is not None:
                self._revive(process, code)
        if self._stopping.wait(POLL_SECONDS):
            raise Stopped

    def restart(self, wanted: Callable[[Part], bool]) -> None:
        """Stop and start the parts that ``wanted`` picks."""
        for process in [p for p in self._processes if wanted(p.part)]:
            process.stop()
            self._launch(process)

    def stop(self) -> None:
        """Stop all parts, the last one started first; those that need not wait for each other together."""
        for together, group in groupby(reversed(self._processes), lambda process: process.part.stops_beside_others):
            processes = list(group)
            for process in processes if together else ():
                process.ask_to_end()
            for process in processes:
                process.stop()
        self._record.write({})

    def _launch(self, process: Process) -> None:
        process.start()
        self._record.write({p.part.name: p.pid for p in self._running()})

    def _running(self) -> Iterable[Process]:
        return (process for process in self._processes if process.was_started)

    def _revive(self, process: Process, code: int) -> None:
        process.kill_group()
        deaths = self._deaths[process.part.name]
        deaths.append(time.monotonic())
        while deaths[0] < deaths[-1] - DEATHS_WINDOW_SECONDS:
            deaths.popleft()
        if len(deaths) > DEATHS_ALLOWED:
            raise PartKeepsDying(process.part.name, code, process.last_lines_at_exit())
        self._log("devstack", f"{process.part.name} ended with code {code}, starting it again")
        self._launch(process)
