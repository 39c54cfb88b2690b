"""pytest plugin: throw-away stores for one test run, started before Django reads its settings.

Named in pyproject's ``addopts``. The controller starts the stores; xdist workers inherit its environment and take a
Valkey database each (pytest-django already gives each its own PostgreSQL database).
"""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

STORES = ("DATABASE_URL", "VALKEY_URL", "VALKEY_CACHE_URL")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """A wrapper runs before pytest-django's own hook, which loads the settings."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        stack = ExitStack()
        early_config.add_cleanup(stack.close)  # also after Ctrl-C and after a failed start
        _start(stack)
    else:
        _take_valkey_databases(int(worker.removeprefix("gw")) + 1)
    return (yield)


def _start(stack: ExitStack) -> None:
    data_dir = Path(tempfile.mkdtemp(prefix="fg-"))
    stack.callback(shutil.rmtree, data_dir, ignore_errors=True)
    os.environ["DATA_DIR"] = str(data_dir)
    if all(os.environ.get(name) for name in STORES):
        return
    from devstack.stores import running_stores  # reads DATA_DIR when it is imported

    os.environ |= stack.enter_context(running_stores(data_dir, durable=False))


def _take_valkey_databases(number: int) -> None:
    for name in ("VALKEY_URL", "VALKEY_CACHE_URL"):
        os.environ[name] = f"{os.environ[name]}?db={number}"
