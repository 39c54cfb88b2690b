"""A real gunicorn around ``wsgi_example``, and raw connections to it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 30.0


@dataclass
class Server:
    port: int
    process: subprocess.Popen[bytes]
    spool_dir: Path
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, receive_buffer: int = 0) -> socket.socket:
        connection = socket.socket()
        connection.settimeout(15)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.connect(("127.0.0.1", self.port))
        return connection

    def spooled_files(self) -> list[str]:
        """Files of the spool folder that any worker still holds open; they have no name."""
        worker_ids = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True
        ).stdout.split()
        links = [link for pid in worker_ids for link in Path(f"/proc/{pid}/fd").iterdir()]
        return [target for link in links if (target := _target(link)).startswith(str(self.spool_dir))]


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        time.sleep(0.02)


def read_all(connection: socket.socket) -> bytes:
    """Until the server closes it."""
    pieces = []
    while piece := connection.recv(2**20):
        pieces.append(piece)
    return b"".join(pieces)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(data_dir: Path, spool_dir: Path) -> Iterator[Server]:
    port, log = _free_port(), data_dir / "server.log"
    options = f"-k config.worker.Worker --keep-alive 3 --no-control-socket -w 1 -b 127.0.0.1:{port}"
    command = [sys.executable, "-m", "gunicorn", *options.split(), "tests.integration.gateway.wsgi_example:application"]
    environment = {**os.environ, "DATA_DIR": str(data_dir), "SPOOL_DIR": str(spool_dir)}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            server = Server(port, process, spool_dir, log)
            eventually(lambda: _answers(server), START_SECONDS)
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _answers(server: Server) -> bool:
    assert server.process.poll() is None, server.log.read_text()
    try:
        return httpx.get(f"{server.url}/hello").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data_dir = tmp_path_factory.mktemp("gateway")
    with running_server(data_dir, data_dir / "spool") as running:
        yield running


@pytest.fixture
def read_only_database(transactional_db: None) -> Iterator[None]:
    """For sessions that begin from now on, and so for all threads."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    connection.close()
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
        cursor.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    connection.close()
