"""The server as it is configured."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from config.env import BASE_DIR
from tests.acceptance.harness import free_port, wait_until

SOON_SECONDS = 15.0  # less than graceful_timeout, after which a worker that hears nothing is killed


def test_server_that_is_told_to_stop_while_its_workers_start_ends_soon(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "config.asgi:application"]
    settings = {"DATA_DIR": str(tmp_path), "PORT": str(free_port()), "WEB_WORKERS": "1"}
    log = tmp_path / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=BASE_DIR, env=os.environ | settings, stdout=output, stderr=output)
    try:
        wait_until(lambda: b"Booting worker" in log.read_bytes(), "fork of the worker")
        server.send_signal(signal.SIGTERM)
        started = time.monotonic()
        assert server.wait(60) == 0, log.read_text()
        assert time.monotonic() - started < SOON_SECONDS, log.read_text()
    finally:
        server.kill()
