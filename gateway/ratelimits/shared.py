"""Counting in the cache store, for all processes together, by the store's own clock.

With a client and a circuit of its own: limits give up sooner than caches, whose loss costs others more.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import cast

from redis.commands.core import Script

from common.stores import valkey
from common.stores.circuits import Circuit
from common.stores.luafiles import load_lua
from gateway.ratelimits.policies import LimitedRoute
from gateway.ratelimits.verdicts import Asked, Verdict

LIMITS = Circuit("limits", lambda: valkey.limit_store().ping())
_SOURCE = load_lua(Path(__file__).parent / "gcra.lua")


def count_shared(wanted: Mapping[Asked, int]) -> list[Verdict]:
    """Verdicts in the order of ``wanted``; one round trip.

    Raises: RedisError: the store did not answer; whether it counted is unknown.
    """
    arguments = [number for (route, _), quantity in wanted.items() for number in (route.policy.per_second, quantity)]
    answer = cast(list[int], _script()(keys=[_key(*asked) for asked in wanted], args=arguments))
    waits = (microseconds / 1e6 for microseconds in answer[1::2])
    return list(map(Verdict, answer[::2], waits))


def _key(route: LimitedRoute, client: str) -> str:
    return valkey.key("limit", route.policy.name, client)


@cache
def _script() -> Script:
    return valkey.limit_store().register_script(_SOURCE)
