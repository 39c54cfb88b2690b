"""Answers requests to hot endpoints: parsed one by one, run in batches, answered one by one.

A request costs callbacks instead of a task of its own: tasks and their messages took more than half of its time. All
methods belong to the event loop.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.conf import settings

from common.errors import FloodgateError, Overloaded
from gateway.batching.batcher import Batcher
from gateway.batching.batches import run_batch
from gateway.batching.bulkheads import bulkheads
from gateway.contract.http import HotRequest, Receive, Reply, Room, read_body
from gateway.contract.problems import problem_reply
from gateway.contract.refusals import has_body
from gateway.endpoints.hot import ASK_AGAIN_SECONDS, Recall
from gateway.endpoints.router import AnyEndpoint
from gateway.keys.clients import Client
from gateway.operate.metrics import Tally
from gateway.ratelimits.limiter import Limiter
from gateway.ratelimits.policies import LimitedRoute

logger = logging.getLogger(__name__)
Answer = Callable[[Reply], object]
BODY_ROOM_BYTES = 128 * 2**20  # for bodies that come slowly, of this process


class HotPath:
    """Args:
    endpoints: all that are served.
    limiter, routes: the limit of each endpoint by its name.
    tally: told of each batch.
    """

    def __init__(
        self, endpoints: Sequence[AnyEndpoint], limiter: Limiter, routes: Mapping[str, LimitedRoute], tally: Tally
    ) -> None:
        self._limiter, self._routes, self._tally = limiter, routes, tally
        self._batcher_class = _batcher_class()
        self._threads = bulkheads(endpoints)
        self._parser = ThreadPoolExecutor(1, thread_name_prefix="parser")
        self._room = Room(BODY_ROOM_BYTES)
        self._in_flight: Counter[str] = Counter()
        self._asking_again: set[asyncio.Task[Any]] = set()
        self._first = {endpoint.name: self._first_batcher(endpoint) for endpoint in endpoints}
        self._then = {
            endpoint.name: self._batcher(endpoint, partial(run_batch, endpoint.run), endpoint)
            for endpoint in endpoints
            if endpoint.recall or endpoint.asks_again_for
        }

    @property
    def executors(self) -> list[ThreadPoolExecutor]:
        return [self._parser, *self._threads.values()]

    def _first_batcher(self, endpoint: AnyEndpoint) -> Batcher[Any, Any]:
        """Takes clients with their items, and asks the limits too."""
        asked = endpoint.recall or endpoint
        return self._batcher(endpoint, partial(self._limiter.run, self._routes[endpoint.name], asked.run), asked)

    def _batcher(
        self, endpoint: AnyEndpoint, run: Callable[[list[Any]], Sequence[Any]], asked: AnyEndpoint | Recall[Any, Any]
    ) -> Batcher[Any, Any]:
        return self._batcher_class(
            run,
            self._threads[asked.store],
            asked.store,
            answers_without_store=asked.answers_without_store,
            batch_limit=endpoint.batch_limit,
            batch_seconds=endpoint.batch_seconds,
            queue_limit=endpoint.in_flight_limit,
            deadline_seconds=settings.REQUEST_DEADLINE_SECONDS,
            name=endpoint.name,
            observe=partial(self._tally.batch, endpoint.name),
        )

    def start(self, endpoint: AnyEndpoint, request: HotRequest, client: Client, answer: Answer) -> None:
        """Answer a request whose body is whole, now or later. Never raises; ``answer`` must not either."""
        try:
            self._refuse_known(endpoint, client)
            self._submit(endpoint, request, client, endpoint.item(request), answer)
        except Exception as error:
            answer(_failure(endpoint, request, error))

    async def ask(self, endpoint: AnyEndpoint, request: HotRequest, receive: Receive, client: Client) -> Reply:
        """The same for one whose body is to come, or is parsed on a thread."""
        try:
            self._refuse_known(endpoint, client)
            if endpoint.body_limit_bytes or has_body(endpoint.method, request.fields):
                request.body = await read_body(receive, request.fields, endpoint.most_body_bytes, self._room)
                self._refuse_beyond_limit(endpoint)
            with self._counted(endpoint):
                item = await self._parsed(endpoint, request)
            answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
            self._submit(endpoint, request, client, item, partial(_set_reply, answered))
        except Exception as error:
            return _failure(endpoint, request, error)
        return await answered

    def _refuse_known(self, endpoint: AnyEndpoint, client: Client) -> None:
        self._limiter.refuse_known(self._routes[endpoint.name], client.name)
        self._refuse_beyond_limit(endpoint)

    def _refuse_beyond_limit(self, endpoint: AnyEndpoint) -> None:
        if self._in_flight[endpoint.name] >= endpoint.in_flight_limit:
            raise Overloaded

    @contextmanager
    def _counted(self, endpoint: AnyEndpoint) -> Iterator[None]:
        self._in_flight[endpoint.name] += 1
        try:
            yield
        finally:
            self._in_flight[endpoint.name] -= 1

    async def _parsed(self, endpoint: AnyEndpoint, request: HotRequest) -> Any:
        if not endpoint.parses_on_thread:
            return endpoint.item(request)
        return await asyncio.get_running_loop().run_in_executor(self._parser, endpoint.item, request)

    def _submit(self, endpoint: AnyEndpoint, request: HotRequest, client: Client, item: Any, answer: Answer) -> None:
        """Raises StoreUnavailable, Overloaded."""
        take = partial(self._take, endpoint, request, item, answer)
        self._first[endpoint.name].call((client.name, item), take)
        self._in_flight[endpoint.name] += 1

    def _take(self, endpoint: AnyEndpoint, request: HotRequest, item: Any, answer: Answer, result: Any) -> None:
        """What the first batch says of an item, which may not be the last word."""
        conclude = partial(self._conclude, endpoint, request, answer)
        try:
            if self._goes_on(endpoint, item, result, conclude):
                return
        except Exception as error:
            result = error
        conclude(result)

    def _goes_on(self, endpoint: AnyEndpoint, item: Any, result: Any, conclude: Callable[[Any], None]) -> bool:
        """Whether ``conclude`` is told another result later. Raises StoreUnavailable, Overloaded."""
        if result is None and endpoint.recall:
            self._then[endpoint.name].call(item, conclude)
            return True
        if endpoint.asks_again_for and endpoint.seconds_to_wait(item, result) > 0:
            self._ask_later(endpoint, item, result, conclude)
            return True
        return False

    def _ask_later(self, endpoint: AnyEndpoint, item: Any, result: Any, conclude: Callable[[Any], None]) -> None:
        task = asyncio.get_running_loop().create_task(self._ask_again(endpoint, item, result))
        self._asking_again.add(task)
        task.add_done_callback(partial(self._asked_again, conclude))

    def _asked_again(self, conclude: Callable[[Any], None], task: asyncio.Task[Any]) -> None:
        self._asking_again.discard(task)
        if not task.cancelled():
            conclude(task.exception() or task.result())

    async def _ask_again(self, endpoint: AnyEndpoint, item: Any, result: Any) -> Any:
        """The item's result when it is final or its time is up. This is no request: no limit counts it."""
        now = asyncio.get_running_loop().time
        started = now()
        while (left := started + endpoint.seconds_to_wait(item, result) - now()) > 0:
            to_next = ASK_AGAIN_SECONDS - now() % ASK_AGAIN_SECONDS  # for all at once, so they share a batch
            await asyncio.sleep(min(to_next, left))
            try:
                result = await self._then[endpoint.name].submit(item)
            except FloodgateError:  # a store that is away leaves the answer that is known
                break
        return result

    def _conclude(self, endpoint: AnyEndpoint, request: HotRequest, answer: Answer, result: Any) -> None:
        self._in_flight[endpoint.name] -= 1
        try:
            if isinstance(result, Exception):
                raise result
            reply = endpoint.answer(request, result)
        except Exception as error:
            reply = _failure(endpoint, request, error)
        answer(reply)


def _failure(endpoint: AnyEndpoint, request: HotRequest, error: Exception) -> Reply:
    if isinstance(error, FloodgateError):
        return problem_reply(error, request.correlation_id)
    fields = {"endpoint": endpoint.name, "correlation_id": request.correlation_id}
    logger.error("hot_endpoint_failed", exc_info=error, extra=fields)
    return problem_reply(FloodgateError(), request.correlation_id)


def _set_reply(answered: "asyncio.Future[Reply]", reply: Reply) -> None:
    if not answered.done():  # the server stops, and has waited for as long as it may
        answered.set_result(reply)


def _batcher_class() -> type[Batcher[Any, Any]]:
    if not settings.IS_TRACED:
        return Batcher
    from gateway.batching.tracing import TracedBatcher

    return TracedBatcher
