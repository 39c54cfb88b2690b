"""Which version readers use. A batch resolves it once; hits and misses of the batch then use that one version.

Truth is the ``Pointer`` row of the read store. In front of it stands one cache key that a script only ever raises, so
that every process follows a publish with its next batch. Each process remembers the highest epoch it saw and never goes
below, and asks the read store once a second whether the key missed something.
"""

import logging
import re
import threading
import time
from typing import cast

from django.db import Error, connections
from redis.exceptions import RedisError

from common.forks import renew_after_fork
from common.stores import valkey
from common.stores.guarded import CACHE, READ_STORE
from promotions.models import Pointer
from promotions.types import LiveVersion

logger = logging.getLogger(__name__)

REVALIDATE_SECONDS = 1.0
NOTHING_LIVE = LiveVersion(epoch=0, version=0, table_count=1)

# The key is a text "epoch version table_count"; epochs are compared as numbers. Anything else in it is replaced.
_POINTER = re.compile(rb"([0-9]{1,15}) ([0-9]{1,15}) ([1-9][0-9]{0,5})")
_RAISE_SCRIPT = """
local current = redis.pcall('GET', KEYS[1])
local epoch = type(current) == 'string' and string.match(current, '^(%d+) %d+ [1-9]%d*$')
if epoch and #epoch <= 15 and tonumber(epoch) >= tonumber(ARGV[1]) then return current end
local value = ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3]
redis.call('SET', KEYS[1], value)
return value
"""


def pointer_key() -> str:
    return valkey.key("promotions", "live")


def raise_cached_pointer(live: LiveVersion) -> LiveVersion:
    """Set the cache key to ``live`` unless it already carries a later epoch. Returns what it carries now.

    Raises: RedisError.
    """
    return parse_pointer(cast(bytes, valkey.cache_store().eval(_RAISE_SCRIPT, 1, pointer_key(), *live)))


def forget_cache() -> None:
    """Empty the cache store: it remembers a later life of a database that was restored. Raises RedisError."""
    logger.error("cache_is_ahead_of_database")
    valkey.cache_store().flushdb()


def parse_pointer(text: bytes | None) -> LiveVersion:
    """NOTHING_LIVE also for what is no pointer: the read store is asked then, and the key replaced."""
    found = _POINTER.fullmatch(text or b"")
    return LiveVersion(*map(int, found.groups())) if found else NOTHING_LIVE


def stored_pointer() -> LiveVersion:
    """The read store's pointer; NOTHING_LIVE before the first publish. Raises DatabaseError."""
    row = Pointer.objects.values_list("epoch", "version", "table_count").first()
    return LiveVersion(*row) if row else NOTHING_LIVE


def _raise_key_if_possible(live: LiveVersion) -> None:
    if not live.epoch or CACHE.is_open:
        return
    try:
        raise_cached_pointer(live)
    except RedisError:
        CACHE.open()


class LivePointer:
    """This process's view of the live version. Thread-safe; the epoch never goes down."""

    def __init__(self) -> None:
        self._live = NOTHING_LIVE
        renew_after_fork(self, LivePointer._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._checked_at = float("-inf")
        self._is_checking = False

    @property
    def live(self) -> LiveVersion:
        return self._live

    def adopt(self, seen: LiveVersion) -> LiveVersion:
        """Take over what was seen if it is later than what we know; answer the later of the two."""
        with self._lock:
            if seen.epoch > self._live.epoch:
                self._live = seen
            return self._live

    def refresh_from_store(self) -> LiveVersion:
        """Ask the read store now. Raises DatabaseError.

        The key is raised before the version is used: another process must not still answer from an earlier one then.
        """
        stored = stored_pointer()
        _raise_key_if_possible(stored)
        self._checked_at = time.monotonic()
        return self.adopt(stored)

    def return_to_store(self) -> LiveVersion:
        """Follow the read store even backwards, because the tables of the version that we hold are gone.

        When it is behind us PostgreSQL was restored to an earlier time; then the cache is of no use either.
        Raises: DatabaseError.
        """
        stored = stored_pointer()
        if stored.epoch < self._live.epoch:
            try:
                forget_cache()
            except RedisError:
                CACHE.open()
        _raise_key_if_possible(stored)
        with self._lock:
            self._live = stored
        return stored

    def revalidate_if_due(self) -> None:
        """Once a second, ask the read store on a thread of its own, so that a store that hangs delays no reader."""
        with self._lock:
            due = time.monotonic() - self._checked_at >= REVALIDATE_SECONDS
            if not due or self._is_checking or READ_STORE.is_open:
                return
            self._is_checking = True
        threading.Thread(target=self._revalidate, name="promotions-pointer", daemon=True).start()

    def _revalidate(self) -> None:
        try:
            self.refresh_from_store()
        except Error as error:
            logger.warning("pointer_not_revalidated", extra={"error": str(error)})
            self._checked_at = time.monotonic()
        finally:
            connections["read"].close()
            self._is_checking = False


POINTER = LivePointer()
