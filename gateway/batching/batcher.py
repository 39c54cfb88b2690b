"""Collects what concurrent requests bring while the previous batch runs, and runs it as one list.

There is no timer and no added wait: an idle server runs a batch of one at once. All methods are called on the event
loop; only the bulk function runs on a thread.

The deadline of a request is divided: what waited so long that a batch may not be done in time is refused instead of
started, and batches that take long become smaller. So whoever asks for more than there is gets refusals at once, and a
batch that passes the deadline nevertheless means that its store hangs.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from time import monotonic, thread_time
from typing import Any, Generic, NamedTuple, TypeVar

from common.errors import NOTHING_DONE, FloodgateError, Overloaded, StoreUnavailable
from common.stores.circuits import Circuit

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
Observer = Callable[[int, float], None]

SLOW_SECONDS = 0.05  # of the oldest item, from its arrival to its answer
ANSWER_SECONDS = 0.1  # between the end of a batch and the last of its answers


_Waiting = tuple[Any, Callable[[Any], object], float]  # item, who is told its answer, since when


class _Batch(NamedTuple):
    waiting: list[_Waiting]
    started: float


class _Run(NamedTuple):
    """What a thread did for a batch. Attributes: started, ended: monotonic; cpu: its own seconds; results: in order."""

    started: float
    ended: float
    cpu: float
    results: Sequence[Any]


class Batcher(Generic[Item, Result]):
    """Queue in front of one bulk function.

    Args:
        run: answers a list in input order, errors as values; never raises.
        threads: those that this store may hold up.
        store: opened here when a batch outlives the deadline; while it is open, items are refused at once
        answers_without_store: unless the bulk function has answers without it.
        batch_limit: most items of one call; fewer while such calls take longer than half of ``batch_seconds``.
        batch_seconds: most that a call takes while its store is well.
        queue_limit: most items waiting; one more is refused with Overloaded.
        deadline_seconds: from ``submit`` to an answer, whatever the thread is doing.
        name: in logs.
        observe: told each batch's size and its oldest item's wait in seconds.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Sequence[Result | FloodgateError]],
        threads: Executor,
        store: Circuit,
        *,
        answers_without_store: bool = False,
        batch_limit: int,
        batch_seconds: float,
        queue_limit: int,
        deadline_seconds: float,
        name: str,
        observe: Observer,
    ) -> None:
        self._name = name
        self._run = run
        self._threads = threads
        self._store = store
        self._answers_without_store = answers_without_store
        self._batch_limit = self._batch_items = batch_limit
        self._batch_seconds = batch_seconds
        self._queue_limit = queue_limit
        self._deadline_seconds = deadline_seconds
        self._observe = observe
        self._queue: deque[_Waiting] = deque()
        self._running: _Batch | None = None

    def submit(self, item: Item) -> "asyncio.Future[Result | FloodgateError]":
        """Queue one item; the future's result is its own answer or, as a value, the error that met it.

        Raises: StoreUnavailable, Overloaded: at once, nothing was done.
        """
        answer: asyncio.Future[Result | FloodgateError] = asyncio.get_running_loop().create_future()
        self.call(item, partial(_tell, answer))
        return answer

    def call(self, item: Item, tell: Callable[[Result | FloodgateError], object]) -> None:
        """The same for who needs no future: ``tell`` gets the answer, later and once."""
        if self._store.is_open and not self._answers_without_store:
            raise StoreUnavailable(NOTHING_DONE)
        if len(self._queue) >= self._queue_limit:
            raise Overloaded
        loop = asyncio.get_running_loop()
        self._queue.append((item, tell, loop.time()))
        if self._running is None:
            self._start(loop)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting = self._taken(min(len(self._queue), self._batch_items))
        batch = self._running = _Batch(waiting, loop.time())
        oldest_since = waiting[0][2]
        self._observe(len(waiting), batch.started - oldest_since)
        work = self._threads.submit(_run_timed, self._run, [item for item, _, _ in waiting])
        timer = loop.call_at(oldest_since + self._deadline_seconds, self._give_up, batch, work)
        asyncio.wrap_future(work, loop=loop).add_done_callback(partial(self._finish, batch, timer))

    def _finish(self, batch: _Batch, timer: asyncio.TimerHandle, work: "asyncio.Future[_Run]") -> None:
        timer.cancel()
        self._pace(len(batch.waiting), asyncio.get_running_loop().time() - batch.started)
        self._log_slow(batch, work)
        results = _results(work, len(batch.waiting))
        if self._running is batch:
            _tell_each(batch.waiting, results)
            # When what these clients send next was read: half as many batches, which is a fifth of an increment's CPU.
            asyncio.get_running_loop().call_soon(self._run_next)

    def _log_slow(self, batch: _Batch, work: "asyncio.Future[_Run]") -> None:
        """Where the time went of a batch whose oldest item had to wait for long."""
        oldest_since, now = batch.waiting[0][2], monotonic()
        if now - oldest_since < SLOW_SECONDS or work.cancelled() or work.exception():
            return
        run = work.result()
        seconds = {
            "queue": batch.started - oldest_since,
            "thread": run.started - batch.started,
            "run": run.ended - run.started,
            "run_cpu": run.cpu,
            "loop": now - run.ended,
        }
        milliseconds = {f"{where}_ms": round(1_000 * spent, 1) for where, spent in seconds.items()}
        logger.info("batch_slow", extra={"endpoint": self._name, "items": len(batch.waiting), **milliseconds})

    def _pace(self, items: int, seconds: float) -> None:
        """A batch that took less than half of its time may be doubled; after a slower one they are half as large."""
        if seconds > self._batch_seconds / 2:
            self._batch_items = max(1, items // 2)
        elif items == self._batch_items:
            self._batch_items = min(self._batch_limit, 2 * items)

    def _give_up(self, batch: _Batch, work: "Future[_Run]") -> None:
        """The deadline: answer everybody now. The thread may go on; whatever it says comes too late.

        A batch that found no thread tells nothing of the store, and nothing of it was done.
        """
        if work.cancel():
            _tell_all(batch.waiting, Overloaded())
        else:
            self._store.open()
            logger.warning("batch_deadline", extra={"items": len(batch.waiting), "store": self._store.name})
            _tell_all(batch.waiting, StoreUnavailable())
            if not self._answers_without_store:
                _tell_all(self._taken(len(self._queue)), StoreUnavailable(NOTHING_DONE))
        self._run_next()

    def _run_next(self) -> None:
        loop = asyncio.get_running_loop()
        self._running = None
        self._shed(loop.time() - self._deadline_seconds + self._batch_seconds + ANSWER_SECONDS)
        if self._queue:
            self._start(loop)

    def _shed(self, waiting_since: float) -> None:
        """Refuse who waited too long for a batch to be done in time."""
        late = 0
        for _, _, since in self._queue:
            if since >= waiting_since:
                break
            late += 1
        _tell_all(self._taken(late), Overloaded())

    def _taken(self, items: int) -> list[_Waiting]:
        """The first of the queue, which are not in it any more: whom they tell may queue others."""
        return [self._queue.popleft() for _ in range(items)]


def _tell(answer: "asyncio.Future[Any]", result: Any) -> None:
    if not answer.done():  # who asked may be gone
        answer.set_result(result)


def _tell_all(waiting: list[_Waiting], error: FloodgateError) -> None:
    _tell_each(waiting, [error] * len(waiting))


def _tell_each(waiting: list[_Waiting], results: Sequence[Any]) -> None:
    """Who cannot be told keeps nobody else from it."""
    for (_, tell, _), result in zip(waiting, results, strict=True):
        try:
            tell(result)
        except Exception:
            logger.exception("answer_not_told")


def _run_timed(run: Callable[[list[Any]], Sequence[Any]], items: list[Any]) -> _Run:
    started, cpu = monotonic(), thread_time()
    results = run(items)
    return _Run(started, monotonic(), thread_time() - cpu, results)


def _results(work: "asyncio.Future[_Run]", items: int) -> Sequence[Any]:
    if work.cancelled():
        return [StoreUnavailable()] * items
    if error := work.exception():
        logger.error("batch_raised", exc_info=error, extra={"items": items})
        return [StoreUnavailable()] * items
    return work.result().results
