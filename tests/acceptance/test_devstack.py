"""What a user meets at the terminal: starting, stopping, killing, and the reasons why it refuses."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest

from devstack.parts import application_parts
from devstack.postgres import postgres_part
from devstack.stores import running_stores
from devstack.supervisor import DEATHS_ALLOWED
from tests.acceptance.harness import Stack, as_user, running_stack, start_stack, started, wait_until

ROOT = os.geteuid() == 0
OUR_PARTS = [part.name for part in application_parts(reload=False)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path that another user can be given, unlike ``tmp_path``."""
    with tempfile.TemporaryDirectory(prefix="fg-") as name:
        yield Path(name)


@pytest.fixture
def data_dir(folder: Path) -> Path:
    return folder / "data"


class Runs:
    """Stacks on one folder, one after the other: each is the next start of the one that a test has ended."""

    def __init__(self, data_dir: Path, running: ExitStack) -> None:
        self.data_dir = data_dir
        self._running = running
        self._stack: Stack | None = None
        postgres_part(data_dir, durable=True)
        self.modes_before = _modes(data_dir)

    def now(self) -> Stack:
        """The stack that runs; started when there is none."""
        if self._stack is None or self._stack.process.poll() is not None:
            self._stack = self._running.enter_context(running_stack(self.data_dir))
        return self._stack


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    with tempfile.TemporaryDirectory(prefix="fg-") as name, ExitStack() as running:
        yield Runs(Path(name) / "data", running)


def refusal(data_dir: Path, **env: str) -> str:
    """The one line with which a start is refused."""
    stack = start_stack(data_dir, **env)
    try:
        assert stack.process.wait(60) == 1
        assert stack.stdout == ""
        wait_until(lambda: not stack.survivors(), "end of all processes", on_failure=stack.survivors)
        lines = [line for line in stack.log.splitlines() if " | " not in line]
    finally:
        stack.process.kill()
    assert len(lines) == 1, stack.log
    return lines[0]


def kill_supervisor(stack: Stack) -> None:
    stack.remember()
    stack.process.kill()
    stack.process.wait(5)


def execute(stack: Stack, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(stack.database_url) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def answers(stack: Stack) -> bool:
    try:
        execute(stack, "SELECT 1")
        with urlopen(f"{stack.url}/health/ready", timeout=5) as response:
            return bool(response.status == 200)
    except (OSError, psycopg.OperationalError):
        return False


def test_stores_of_others_are_used_and_a_read_store_is_made_and_migrated(folder: Path, data_dir: Path) -> None:
    with running_stores(folder, durable=False) as urls:
        read_url = urls["DATABASE_URL"].replace("/floodgate?", "/read?")
        with running_stack(data_dir, READ_DATABASE_URL=read_url, **urls) as stack:
            assert set(json.loads((data_dir / "parts.json").read_text())) == set(OUR_PARTS)
            assert not (data_dir / "postgres").exists()
            assert stack.stdout.splitlines()[-1] == f"ready: {stack.url}"
        with psycopg.connect(read_url) as connection:
            assert connection.execute("SELECT count(*) > 0 FROM django_migrations").fetchone() == (True,)


# On one folder: what a test finds is what the one before it left


def test_first_start_makes_an_administrator_whose_password_only_we_can_read(runs: Runs) -> None:
    stack = runs.now()
    assert execute(stack, "SELECT username, is_superuser FROM auth_user") == [("admin", True)]
    password_file = stack.data_dir / "admin-password"
    assert password_file.stat().st_mode & 0o777 == 0o600
    assert str(password_file) in stack.stdout


def test_nothing_listens_on_tcp_but_the_port_on_loopback(runs: Runs) -> None:
    stack = runs.now()
    sockets = {str(fd.readlink()) for pid in stack.all_pids() for fd in _fds(pid)}
    listening = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = {row[1] for row in listening if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}
    ours |= {row for row in Path("/proc/net/tcp6").read_text().splitlines()[1:] if row.split()[9] in sockets}
    assert ours == {f"0100007F:{stack.port:04X}"}


def test_second_stack_on_the_same_folder_is_refused(runs: Runs) -> None:
    data_dir = runs.now().data_dir
    second = start_stack(data_dir)
    assert second.process.wait(60) == 1
    assert second.log == f"CommandError: Another devstack already runs on {data_dir}; stop it or set DATA_DIR\n"


@pytest.mark.skipif(not ROOT, reason="concerns root alone")
def test_root_opens_no_folder_to_others(runs: Runs) -> None:
    stack = runs.now()
    assert _modes(stack.data_dir) == runs.modes_before
    assert stack.data_dir.stat().st_mode & 0o777 == 0o700


def test_killed_part_is_started_again_without_its_old_children(runs: Runs) -> None:
    stack, parts = runs.now(), ["postgres", "truth", "cache", *OUR_PARTS]
    old = {(pid, started(pid)) for part in parts for pid in stack.pids(part)}
    for part in parts:
        stack.wait_for_restart(part, stack.kill(part))
        wait_until(lambda: answers(stack), "answer after the restart", on_failure=lambda: stack.log[-4_000:])
    wait_until(lambda: all(started(pid) != start for pid, start in old), "end of the old processes", 10)
    assert [stack.log.count(f"{part} ended with code") for part in parts] == [1] * len(parts)


def test_ctrl_c_ends_all_of_a_stack_and_data_stay_for_the_next(runs: Runs) -> None:
    stack = runs.now()
    assert stack.stdout.splitlines()[-1] == f"ready: {stack.url}"
    execute(stack, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert stack.stop(signal.SIGINT) == 0
    assert stack.survivors() == []
    assert "\x1b[" not in stack.log.split("web ")[0]
    again = runs.now()
    assert answers(again)
    assert execute(again, "SELECT answer FROM kept") == [(42,)]
    assert execute(again, "SELECT count(*) FROM auth_user") == [(1,)]


def test_fourth_death_within_a_minute_stops_everything(runs: Runs) -> None:
    stack = runs.now()
    for _ in range(DEATHS_ALLOWED):
        stack.wait_for_restart("beat", stack.kill("beat"))
    wait_until(lambda: answers(stack), "answer after three deaths")
    stack.kill("beat")
    assert stack.process.wait(60) == 1
    assert stack.survivors() == []
    assert stack.log.splitlines()[-1].startswith("CommandError: beat died again and again")


def test_nothing_outlives_a_killed_supervisor_and_the_next_start_works(runs: Runs) -> None:
    stack = runs.now()
    execute(stack, "CREATE TABLE outlives AS SELECT 42 AS answer")
    kill_supervisor(stack)
    wait_until(lambda: not stack.survivors(), "end of all processes", on_failure=stack.survivors)
    assert execute(runs.now(), "SELECT answer FROM outlives") == [(42,)]


def test_start_right_after_a_killed_supervisor_waits_for_what_is_still_ending(runs: Runs) -> None:
    kill_supervisor(runs.now())
    assert answers(runs.now())


def test_start_works_after_the_whole_tree_was_killed(runs: Runs) -> None:
    stack = runs.now()
    stack.remember()
    for pid in stack.all_pids():
        with contextlib.suppress(ProcessLookupError):  # PostgreSQL's children follow their parent
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not stack.survivors(), "end of all processes", on_failure=stack.survivors)
    assert (stack.data_dir / "postgres" / "postmaster.pid").exists()
    assert answers(runs.now())


def test_start_ends_the_orphans_of_a_killed_supervisor_and_worker(runs: Runs) -> None:
    stack = runs.now()
    wait_until(lambda: len(stack.pids("worker-imports")) > 1, "pool of the worker")
    leader, *children = stack.pids("worker-imports")
    orphans = [(pid, started(pid)) for pid in children]
    stack.remember()
    for pid in (leader, stack.process.pid):
        os.kill(pid, signal.SIGKILL)
    stack.process.wait(5)
    assert answers(runs.now())
    assert all(started(pid) != start for pid, start in orphans)


def test_sigterm_ends_all_of_a_stack(runs: Runs) -> None:
    stack = runs.now()
    assert stack.stop(signal.SIGTERM) == 0
    assert stack.survivors() == []


def test_busy_port_is_refused(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert refusal(data_dir, PORT=str(port)).startswith(
            f"CommandError: PORT {port} cannot be used: Address already"
        )


def test_folder_that_is_no_cluster_is_refused_and_left_alone(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    _give_to_postgres_user(data_dir / "postgres")
    (data_dir / "postgres" / "letter.txt").write_text("mine")
    assert "is not a PostgreSQL cluster" in refusal(data_dir)
    assert (data_dir / "postgres" / "letter.txt").read_text() == "mine"


def test_cluster_of_another_major_version_is_refused(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    _give_to_postgres_user(data_dir / "postgres")
    (data_dir / "postgres" / "PG_VERSION").write_text("16\n")
    assert "is of PostgreSQL 16, not 18" in refusal(data_dir)


@pytest.mark.skipif(not ROOT, reason="only root can give a folder away")
def test_cluster_of_another_user_is_refused(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    os.chown(data_dir / "postgres", 4321, 4321)
    assert "belongs to another user" in refusal(data_dir)


def test_data_dir_that_cannot_be_made_is_refused() -> None:
    stack = start_stack(Path("/proc/none/data"))
    assert stack.process.wait(60) == 1
    assert stack.log.startswith("error: DATA_DIR /proc/none/data cannot be used")
    assert len(stack.log.splitlines()) == 1


@pytest.mark.skipif(not ROOT, reason="only root can mount a small disk")
@pytest.mark.parametrize("size", ["16k", "20m"])
def test_full_disk_is_refused(data_dir: Path, size: str) -> None:
    data_dir.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(data_dir)], capture_output=True)
    if mount.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        line = refusal(data_dir)
    finally:
        subprocess.run(["umount", str(data_dir)], check=True)
    assert "No space left" in line or "is full" in line


@pytest.mark.skipif(not ROOT, reason="the other tests show it")
def test_ordinary_user_can_run_it(folder: Path, data_dir: Path) -> None:
    if not _can_run_python("nobody"):
        pytest.skip("nobody cannot reach this virtualenv")
    os.chown(folder, 65534, -1)
    with running_stack(data_dir, run_as="nobody") as stack:
        owners = {Path(f"/proc/{pid}").stat().st_uid for pid in stack.all_pids()}
        assert owners == {65534}


def _can_run_python(user: str) -> bool:
    again = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', 'import django, redis']))"
    return subprocess.run([*as_user(user), sys.executable, "-c", again], capture_output=True).returncode == 0


def _fds(pid: int) -> list[Path]:
    try:
        return [fd for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()]
    except OSError:
        return []


def _give_to_postgres_user(path: Path) -> None:
    if ROOT:
        os.chown(path, 65534, -1)


def _modes(data_dir: Path) -> dict[Path, int]:
    from devstack.wheels import postgres_bin

    folders = {*data_dir.parents, *postgres_bin().parents, postgres_bin()}
    return {folder: folder.stat().st_mode for folder in folders}
