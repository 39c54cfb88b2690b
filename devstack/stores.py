"""The three stores together, started, waited for and stopped for tests and benchmarks."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from config.env import embedded_urls
from devstack.database import create_database
from devstack.errors import DevstackError
from devstack.parts import store_parts
from devstack.process import Process

READY_SECONDS = 60.0


@contextmanager
def running_stores(data_dir: Path, *, durable: bool) -> Iterator[dict[str, str]]:
    """PostgreSQL with an empty database and two Valkeys in ``data_dir``, until the block ends.

    Args:   data_dir: an existing folder that nobody else uses meanwhile; logs go to ``stores.log`` in it.
            durable: False turns fsync of PostgreSQL off, for throw-away data.
    Yields: DATABASE_URL, VALKEY_URL and VALKEY_CACHE_URL.
    Raises: DevstackError: a store cannot start.
    """
    with (data_dir / "stores.log").open("a", buffering=1) as log, ExitStack() as stack:
        processes = [
            Process(part, lambda name, line: print(name, line, file=log))
            for part in store_parts(data_dir, durable=durable).values()
        ]
        for process in processes:
            stack.callback(process.stop)
            process.start()
            _wait_until_ready(process)
        urls = embedded_urls(data_dir)
        create_database(urls["DATABASE_URL"])
        yield urls


def _wait_until_ready(process: Process) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not process.part.is_ready():
        if process.exit_code() is not None or time.monotonic() > deadline:
            raise DevstackError(f"{process.part.name} did not start: {' | '.join(process.last_lines)}")
        time.sleep(0.02)
