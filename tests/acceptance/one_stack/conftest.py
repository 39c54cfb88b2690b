"""The stack of all tests in this folder: starting one takes longer than most of them.

They leave its parts running, and a part must not die more than three times within a minute.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.harness import Stack, running_stack

SETTINGS = {
    "IMPORT_CHUNK_BYTES": str(2**20),  # many chunks, so that a kill falls between and into them
    "COUNTERS_MAX_PENDING_KEYS": "50",
    # On, as in production, though nobody reaches them: they too ask a Valkey.
    "RATE_LIMIT": "on",
    "RATE_LIMIT_POLICIES": "hot=100000 django=100000",
}


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="fg-") as folder, running_stack(Path(folder) / "data", **SETTINGS) as up:
        yield up
