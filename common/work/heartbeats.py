"""Signs of life of processes that answer no requests: beat, and the worker of each queue.

The loop of such a process says ``beat``, and nobody else, so one that hangs falls silent. Each sign is a file that the
container's health check looks at, and an instant in the truth store, which tells of a process also when its container
is gone. A thread puts it there, so a store that is away holds no loop up and costs no life.
"""

import logging
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import cast

from redis.exceptions import RedisError

from common.stores import valkey

logger = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
TELL_SECONDS = 5.0
SILENT_SECONDS = 45.0  # longer than a loop waits for a broker that hangs: its connections give up after 30 s


class Heart:
    """Of one process. ``beat`` may be called as often as one likes, from one thread.

    Args: role: as metrics call it: ``beat``, or ``worker-`` and a queue.
          path: the file to touch, if any.
    """

    def __init__(self, role: str, path: Path | None) -> None:
        self._role = role
        self._path = path
        self._beaten_at = float("-inf")

    def start(self) -> None:
        """Tell the store of signs that ``beat`` gives."""
        threading.Thread(target=self._tell_always, name="heartbeat", daemon=True).start()

    def beat(self) -> None:
        now = time.monotonic()
        if now - self._beaten_at < BEAT_SECONDS:
            return
        self._beaten_at = now
        if self._path:
            with suppress(OSError):  # a full disk is no reason to end; the health check sees an old file
                self._path.touch()

    def _tell_always(self) -> None:
        while True:
            if time.monotonic() - self._beaten_at < SILENT_SECONDS:
                self._tell()
            time.sleep(TELL_SECONDS)

    def _tell(self) -> None:
        try:
            valkey.truth().hset(_key(), self._role, str(time.time()))
        except RedisError as error:
            logger.debug("heartbeat_waits_for_store", extra={"error": str(error)})


def read_heartbeats() -> dict[str, float]:
    """When each role that ever lived gave its last sign, in seconds since the epoch. Raises RedisError."""
    signs = cast(dict[bytes, bytes], valkey.truth().hgetall(_key()))
    return {role.decode(): float(instant) for role, instant in signs.items()}


def _key() -> str:
    return valkey.key("heartbeats")
