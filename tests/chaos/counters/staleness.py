"""How far the database is behind, asked beside the stack: the web workers are among those that are killed."""

import contextlib
import threading
from time import monotonic
from typing import Any, cast

import psycopg
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as StoreGone
from redis.exceptions import TimeoutError as StoreSilent
from redis.retry import Retry

from config.env import BASE_DIR, embedded_urls
from counters.buffer import SHARDS
from tests.acceptance.harness import Stack

INTERVAL_SECONDS = 0.2
_BACKLOG = (BASE_DIR / "counters" / "lua" / "backlog.lua").read_text()


class Staleness:
    """Samples the age of the oldest delta that waits, for ``watch`` on a thread of its own.

    A sample counts from the later of two moments: when the delta was accepted, and when PostgreSQL took a connection
    again. While PostgreSQL takes none, there is no sample. The buffer keeps a delta until after the commit, so an age
    is never too low.

    Attributes:
        worst_seconds: of all samples.
        samples: how many there are.
        database_down, buffer_down: how often there was none, because that store did not answer.
    """

    def __init__(self, stack: Stack) -> None:
        url = embedded_urls(stack.data_dir)["VALKEY_URL"]
        retry = Retry(NoBackoff(), 0)
        self._buffer = Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=retry)
        self._database_url = stack.database_url
        self._database: psycopg.Connection[Any] | None = None
        self._up_since = 0.0
        self.worst_seconds = 0.0
        self.samples = self.database_down = self.buffer_down = 0

    def watch(self, stop: threading.Event) -> None:
        """Sample until ``stop`` is set."""
        while not stop.wait(INTERVAL_SECONDS):
            self._sample()
        self._disconnect()
        self._buffer.close()

    def pending_keys(self) -> int | None:
        """Keys that wait for the database; None while the buffer does not answer."""
        backlog = self._backlog()
        return None if backlog is None else backlog[0]

    def _sample(self) -> None:
        if not self._is_database_up():
            self.database_down += 1
            return
        backlog = self._backlog()
        if backlog is None:
            self.buffer_down += 1
            return
        self.samples += 1
        self.worst_seconds = max(self.worst_seconds, min(backlog[1], monotonic() - self._up_since))

    def _backlog(self) -> tuple[int, float] | None:
        """Waiting keys, and the age in seconds of the oldest delta."""
        try:
            answer = self._buffer.eval(_BACKLOG, 0, "counters:", str(SHARDS), "3600")
        except (StoreGone, StoreSilent):
            return None
        keys, oldest_ms, now_ms, *_ = cast(list[Any], answer)
        return keys, (now_ms - oldest_ms) / 1000 if oldest_ms else 0.0

    def _is_database_up(self) -> bool:
        """The connection is kept, so that no outage between two samples goes unnoticed."""
        try:
            if self._database is None:
                self._database = psycopg.connect(self._database_url, connect_timeout=2, autocommit=True)
                self._up_since = monotonic()
            self._database.execute("SELECT 1")
        except psycopg.OperationalError:
            self._disconnect()
            return False
        return True

    def _disconnect(self) -> None:
        with contextlib.suppress(psycopg.Error):
            if self._database:
                self._database.close()
        self._database = None
