"""Tells a request that waits for a thread of Django whether it waits for a store that hangs.

A slow page and a store that hangs look the same from outside, so after a moment the store itself is asked. A page whose
store answers may take its time. One whose store does not is refused, and so is what comes next, until a probe gets an
answer: by circuits of Django's own, so that a false alarm costs no request of the hot path.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

from common.errors import NOTHING_DONE, StoreUnavailable
from common.stores.circuits import Circuit

# Together with what a key may be waited for, less than the 2 s in which a request is refused.
PATIENCE_SECONDS = 0.75  # before the store is asked
PROBE_SECONDS = 0.6


def refuse_known(stores: Sequence[Circuit]) -> None:
    """Raise StoreUnavailable while one of the stores is known not to answer."""
    if any(store.is_open or of_django(store).is_open for store in stores):
        raise StoreUnavailable(NOTHING_DONE)


@cache
def of_django(store: Circuit) -> Circuit:
    """Of the same store, for Django's requests alone."""
    return Circuit(f"django-{store.name}", store.probe, store.database)


class Watch:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._asked: dict[Circuit, Future[bool]] = {}

    async def wait(self, call: "asyncio.Future[Any]", stores: Sequence[Circuit], seconds: float) -> None:
        """Until ``call`` is done, which goes on in any case.

        Raises: StoreUnavailable: a store hangs, or the time is over. Whether the call takes effect is unknown.
        """
        until = asyncio.get_running_loop().time() + seconds
        while (left := until - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait([call], timeout=min(PATIENCE_SECONDS, left))
            if call.done():
                return
            await self._refuse_hanging(call, stores)
        raise StoreUnavailable

    async def _refuse_hanging(self, call: "asyncio.Future[Any]", stores: Sequence[Circuit]) -> None:
        for store in stores:
            if await self._hangs(store) and not call.done():
                of_django(store).open()
                raise StoreUnavailable

    async def _hangs(self, store: Circuit) -> bool:
        """One question serves all that wait. An error is an answer: who waits gets one too."""
        asked = self._asked.get(store)
        if asked is None or asked.done():
            asked = self._asked[store] = _thread(store).submit(store.answers)
        _, late = await asyncio.wait([asyncio.wrap_future(asked)], timeout=PROBE_SECONDS)
        return bool(late)


@cache
def _thread(store: Circuit) -> ThreadPoolExecutor:
    """One for each, so that a store that hangs delays no question to another."""
    return ThreadPoolExecutor(1, thread_name_prefix=f"watch-{store.name}")
