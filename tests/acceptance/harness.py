"""The whole stack as a user starts it: a real ``manage.py devstack`` on a free port, watched from outside.

``running_stack`` fails a test that leaves a process behind.
"""

import atexit
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from config.env import BASE_DIR, embedded_urls

READY_SECONDS = 90.0
STOP_SECONDS = 60.0
OURS = ("DATABASE_URL", "READ_DATABASE_URL", "VALKEY_URL", "VALKEY_CACHE_URL", "CELERY_BROKER_URL", "DATA_DIR", "PORT")
FEW_RATES = {"ECB_RATES_FROM": "2026-01-01"}  # all 27 years take a busy machine seconds
PORTS = random.SystemRandom()
LOGS = Path(tempfile.mkdtemp(prefix="fg-log-"))
atexit.register(shutil.rmtree, LOGS, ignore_errors=True)


@dataclass
class Stack:
    """A running devstack. Logs of all parts are in ``log``, its announcements in ``stdout``."""

    process: subprocess.Popen[bytes]
    data_dir: Path
    port: int
    output: Path
    _seen: set[tuple[int, int]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database_url(self) -> str:
        return embedded_urls(self.data_dir)["DATABASE_URL"]

    @property
    def stdout(self) -> str:
        return self.output.with_suffix(".out").read_text()

    @property
    def log(self) -> str:
        return self.output.with_suffix(".err").read_text()

    def pids(self, part: str) -> list[int]:
        """The part's own process first, then all of its descendants; empty when it does not run.

        Parts: postgres, truth, cache, and those of devstack/parts.py.
        """
        recorded = json.loads((self.data_dir / "parts.json").read_text()).get(part)
        return _tree(recorded["pid"]) if recorded else []

    def kill(self, part: str, sign: signal.Signals = signal.SIGKILL) -> int:
        """Signal the part's own process and return its pid."""
        pid = self.pids(part)[0]
        self.remember()
        os.kill(pid, sign)
        return pid

    def wait_for_restart(self, part: str, old_pid: int) -> None:
        """Wait until ``part`` runs as another process than ``old_pid``."""
        wait_until(lambda: (pids := self.pids(part)) != [] and pids[0] != old_pid, f"restart of {part}")

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run ``manage.py`` on this stack's data, as an operator does in another shell."""
        process = self.start_manage(*arguments)
        stdout, stderr = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def start_manage(self, *arguments: str) -> "subprocess.Popen[str]":
        """The same without waiting for its end."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=BASE_DIR,
            env=_environment() | {"DATA_DIR": str(self.data_dir)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def all_pids(self) -> list[int]:
        """The supervisor and everything below it."""
        return _tree(self.process.pid)

    def remember(self) -> None:
        """Note the processes of now, so that ``survivors`` can tell if one stays."""
        self._seen |= {(pid, start) for pid in self.all_pids() if (start := started(pid))}  # some end meanwhile

    def survivors(self) -> list[str]:
        """Processes of this stack that run although it has ended."""
        known = [pid for pid, start in self._seen if started(pid) == start]
        return [_describe(pid) for pid in {*known, *_mentioning(str(self.data_dir))}]

    def stop(self, sign: signal.Signals = signal.SIGINT) -> int:
        """Signal the supervisor, wait for its end, and return its exit code."""
        if self.process.poll() is None:
            self.remember()
            self.process.send_signal(sign)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def running_stack(data_dir: Path, *, run_as: str | None = None, **env: str) -> Iterator[Stack]:
    """A stack that is ready; at the end it is stopped, and no process of it may be left.

    Args:   data_dir: need not exist; give the same one again to restart on the same data.
            run_as: user name, when the tests run as root.
            env: variables for it, such as WEB_WORKERS="1"; those of the test's own stores are not passed on, and
                RATE_LIMIT is off unless it is given, as tests ask more often than any client may.
    Raises: AssertionError: it ended or was not ready in time (with its log), or left a process behind.
    """
    stack = start_stack(data_dir, run_as=run_as, **env)
    try:
        wait_until(lambda: _is_ready(stack), "ready line", READY_SECONDS, on_failure=lambda: stack.log[-8_000:])
        stack.remember()
        yield stack
    finally:
        try:
            stack.stop()
        finally:
            wait_until(lambda: not stack.survivors(), "end of all processes", 20, on_failure=stack.survivors)


def start_stack(data_dir: Path, *, run_as: str | None = None, **env: str) -> Stack:
    """Start without waiting: for stacks that are expected to refuse. The caller stops it."""
    port = env.pop("PORT", "") or str(free_port())
    output = LOGS / str(time.monotonic_ns())
    with output.with_suffix(".out").open("wb") as stdout, output.with_suffix(".err").open("wb") as stderr:
        process = subprocess.Popen(
            [*as_user(run_as), sys.executable, "manage.py", "devstack"],
            cwd=BASE_DIR,
            env=_environment() | {"DATA_DIR": str(data_dir), "PORT": port, "RATE_LIMIT": "off"} | FEW_RATES | env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    return Stack(process, data_dir, int(port), output)


def as_user(name: str | None) -> list[str]:
    """Prefix of a command that root runs as another user; empty for our own."""
    return ["setpriv", f"--reuid={name}", f"--regid={pwd.getpwnam(name).pw_gid}", "--clear-groups"] if name else []


@contextmanager
def paused(pids: Iterable[int]) -> Iterator[None]:
    """They hang until the block ends: connections to them are taken, and nobody answers."""
    stopped = list(pids)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)


def wait_until(
    condition: Callable[[], bool],
    what: str,
    seconds: float = 60.0,
    on_failure: Callable[[], object] = lambda: "",
) -> None:
    """Poll ``condition``; fail with ``what`` and the text of ``on_failure`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"No {what} within {seconds:.0f} s {on_failure()}")
        time.sleep(0.05)


def free_port() -> int:
    """One that no client gets meanwhile: those have higher ones."""
    while True:
        port = PORTS.randrange(10_000, 32_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def started(pid: int) -> int:
    """Start time in clock ticks, which tells two processes of one pid apart; 0 if gone or a zombie."""
    state, *fields = _stat(pid) or ["Z"]
    return 0 if state == "Z" else int(fields[18])


def _is_ready(stack: Stack) -> bool:
    code = stack.process.poll()
    assert code is None, f"devstack ended with code {code}: {stack.log[-8_000:]}"
    return any(line.startswith("ready: ") for line in stack.stdout.splitlines())


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in OURS}


def _stat(pid: int) -> list[str]:
    """Fields of /proc/<pid>/stat from the state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _tree(root: int) -> list[int]:
    parents = {pid: int(fields[1]) for pid in _all() if (fields := _stat(pid)) and fields[0] != "Z"}
    tree = [root] if root in parents else []
    for pid in tree:
        tree += [child for child, parent in parents.items() if parent == pid]
    return tree


def _mentioning(text: str) -> list[int]:
    return [pid for pid in _all() if pid != os.getpid() and f"{text}/" in _describe(pid) and started(pid)]


def _all() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def _describe(pid: int) -> str:
    try:
        return f"{pid} {Path(f'/proc/{pid}/cmdline').read_bytes().replace(bytes(1), b' ').decode()}"
    except OSError:
        return str(pid)
