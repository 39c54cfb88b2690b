"""Collects what concurrent requests bring while the previous batch runs, and runs it as one list.

There is no timer and no added wait: an idle server runs a batch of one at once. All methods are called on the event
loop; only the bulk function runs on a thread.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, Generic, NamedTuple, TypeVar

from common.circuits import Circuit
from common.errors import FloodgateError, Overloaded, StoreUnavailable

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
Observer = Callable[[int, float], None]


class _Waiting(NamedTuple):
    item: Any
    answer: "asyncio.Future[Any]"
    since: float


class Batcher(Generic[Item, Result]):
    """Queue in front of one bulk function.

    Args:
        run: answers a list in input order, errors as values; never raises.
        lanes: threads shared by all batchers of the process.
        store: opened here when a batch outlives the deadline; while it is open, items are refused at once
        answers_without_store: unless the bulk function has answers without it.
        batch_limit: most items of one call.
        queue_limit: most items waiting; one more is refused with Overloaded.
        deadline_seconds: from ``submit`` to an answer, whatever the thread is doing.
        observe: told each batch's size and its oldest item's wait in seconds.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Sequence[Result | FloodgateError]],
        lanes: Executor,
        store: Circuit,
        *,
        answers_without_store: bool = False,
        batch_limit: int,
        queue_limit: int,
        deadline_seconds: float,
        observe: Observer,
    ) -> None:
        self._run = run
        self._lanes = lanes
        self._store = store
        self._answers_without_store = answers_without_store
        self._batch_limit = batch_limit
        self._queue_limit = queue_limit
        self._deadline_seconds = deadline_seconds
        self._observe = observe
        self._queue: deque[_Waiting] = deque()
        self._running: list[_Waiting] | None = None

    def submit(self, item: Item) -> "asyncio.Future[Result | FloodgateError]":
        """Queue one item; the future's result is its own answer or, as a value, the error that met it.

        Raises: StoreUnavailable, Overloaded: at once, nothing was done.
        """
        if self._store.is_open and not self._answers_without_store:
            raise StoreUnavailable
        if len(self._queue) >= self._queue_limit:
            raise Overloaded
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result | FloodgateError] = loop.create_future()
        self._queue.append(_Waiting(item, answer, loop.time()))
        if self._running is None:
            self._start(loop)
        return answer

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._batch_limit))]
        self._running = batch
        self._observe(len(batch), loop.time() - batch[0].since)
        timer = loop.call_at(batch[0].since + self._deadline_seconds, self._give_up, batch)
        work = loop.run_in_executor(self._lanes, self._run, [waiting.item for waiting in batch])
        work.add_done_callback(lambda done: self._finish(batch, timer, done))

    def _finish(self, batch: list[_Waiting], timer: asyncio.TimerHandle, work: "asyncio.Future[Sequence[Any]]") -> None:
        timer.cancel()
        results = _results(work, len(batch))
        for waiting, result in zip(batch, results, strict=True):
            if not waiting.answer.done():  # the client may be gone, or was answered at its deadline
                waiting.answer.set_result(result)
        if self._running is batch:
            self._run_next()

    def _give_up(self, batch: list[_Waiting]) -> None:
        """The deadline: answer everybody now. The thread may go on; whatever it says comes too late."""
        self._store.open()
        logger.warning("batch_deadline", extra={"items": len(batch), "store": self._store.name})
        self._running = None
        for waiting in [*batch, *self._queue]:
            if not waiting.answer.done():
                waiting.answer.set_result(StoreUnavailable())
        self._queue.clear()

    def _run_next(self) -> None:
        loop = asyncio.get_running_loop()
        self._running = None
        self._shed(loop.time() - self._deadline_seconds / 2)
        if self._queue:
            self._start(loop)

    def _shed(self, waiting_since: float) -> None:
        """Leave out who is gone, and refuse who waited so long that only overload, not the store, can be the reason."""
        while self._queue and (self._queue[0].answer.done() or self._queue[0].since < waiting_since):
            answer = self._queue.popleft().answer
            if not answer.done():
                answer.set_result(Overloaded())


def _results(work: "asyncio.Future[Sequence[Any]]", items: int) -> Sequence[Any]:
    if work.cancelled():
        return [StoreUnavailable()] * items
    if error := work.exception():
        logger.error("batch_raised", exc_info=error, extra={"items": items})
        return [StoreUnavailable()] * items
    return work.result()
