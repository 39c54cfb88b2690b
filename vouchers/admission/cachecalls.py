"""Calls of the cache Valkey on the way to a redemption, of which several come one after the other.

A store that answers, but slowly, is no better than one that is away: the first slow answer opens its circuit, so that
the others of the batch go without it and all of them together leave time for the database before the deadline.
"""

import logging
import time
from collections.abc import Sequence
from typing import Any, cast

from redis.commands.core import Script
from redis.exceptions import RedisError

from common.stores.guarded import CACHE

logger = logging.getLogger(__name__)

SLOW_SECONDS = 0.2  # five of them and the statements of a batch are done within 1.5 s


def ask_cache(script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> list[Any] | None:
    """The script's answer; None when the store does not answer, or the script has no answer."""
    if CACHE.is_open:
        return None
    started = time.monotonic()
    try:
        answer = script(keys=keys, args=arguments)
    except RedisError:
        logger.warning("cache_call_failed", exc_info=True)
        CACHE.open()
        return None
    if time.monotonic() - started > SLOW_SECONDS:
        CACHE.open()
    return cast("list[Any] | None", answer)
