"""The server as it is configured."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from config.env import BASE_DIR
from tests.acceptance.harness import free_port, wait_until

SOON_SECONDS = 15.0  # less than graceful_timeout, after which a worker that hears nothing is killed


@contextmanager
def running_server(folder: Path, **settings: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """gunicorn with one worker, and where it writes its log."""
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "config.asgi:application"]
    settings |= {"DATA_DIR": str(folder), "WEB_WORKERS": "1"}
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=BASE_DIR, env=os.environ | settings, stdout=output, stderr=output)
    try:
        yield server, log
    finally:
        server.kill()


@contextmanager
def stalling(port: int) -> Iterator[socket.socket]:
    """A client in the middle of its body."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"POST /increment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        yield client


def assert_ends_soon(server: subprocess.Popen[bytes], log: Path, by: signal.Signals = signal.SIGTERM) -> None:
    server.send_signal(by)
    started = time.monotonic()
    assert server.wait(60) == 0, log.read_text()
    assert time.monotonic() - started < SOON_SECONDS, log.read_text()


def test_server_that_is_told_to_stop_while_its_workers_start_ends_soon(tmp_path: Path) -> None:
    with running_server(tmp_path, PORT=str(free_port())) as (server, log):
        wait_until(lambda: b"Booting worker" in log.read_bytes(), "fork of the worker")
        assert_ends_soon(server, log)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_server_that_is_told_to_stop_does_not_wait_for_clients_that_ask_nothing(
    tmp_path: Path, by: signal.Signals
) -> None:
    port = free_port()
    with running_server(tmp_path, PORT=str(port)) as (server, log), httpx.Client(timeout=60) as client:
        wait_until(lambda: b"Listening at" in log.read_bytes(), "the port")
        assert client.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
        with socket.create_connection(("127.0.0.1", port)) as silent, stalling(port) as stalled:
            assert_ends_soon(server, log, by)
            assert silent.recv(1) == b""
            assert b" 408 " in stalled.recv(1_000)
        assert "WORKER TIMEOUT" not in log.read_text()


def test_a_request_that_meets_a_server_that_stops_is_answered(tmp_path: Path) -> None:
    """A proxy sends it before it sees the end of the connection, and must not repeat a POST that was reset."""
    port = free_port()
    with running_server(tmp_path, PORT=str(port)) as (server, log), httpx.Client(timeout=60) as client:
        wait_until(lambda: b"Listening at" in log.read_bytes(), "the port")
        url = f"http://127.0.0.1:{port}/health/live"
        assert client.get(url).status_code == 200
        server.send_signal(signal.SIGTERM)
        wait_until(lambda: not listens(port), "end of the port")
        answer = client.get(url)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert server.wait(60) == 0


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
