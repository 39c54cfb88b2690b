"""What is measured against: the same stores and settings, everything through DRF."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from config.env import BASE_DIR
from tests.acceptance.harness import Stack, free_port, wait_until

# Limits are computed for every request, and nobody reaches them.
LIMITS = {
    "RATE_LIMIT": "on",
    "RATE_LIMIT_POLICIES": "hot=10000000 django=10000000",
    "VOUCHER_GUESSES_PER_USER": "10000000",
    "VOUCHER_GUESSES_PER_ADDRESS": "10000000",
}


@contextmanager
def server_without_hot_path(stack: Stack) -> Iterator[int]:
    """A second server on the same stores, with the same number of workers, everything through DRF."""
    port = free_port()
    settings = {"DATA_DIR": str(stack.data_dir), "PORT": str(port), "HOT_PATH": "off", **LIMITS}
    settings["PROMETHEUS_MULTIPROC_DIR"] = str(stack.data_dir / "metrics-off")
    log = (stack.data_dir / "hot-path-off.log").open("wb")
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "config.asgi:application"]
    process = subprocess.Popen(command, cwd=BASE_DIR, env=os.environ | settings, stdout=log, stderr=log)
    try:
        wait_until(lambda: _answers(port), "answer of the second server")
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
