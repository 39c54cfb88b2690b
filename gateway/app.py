"""The ASGI application: every request passes here.

Hot endpoints are parsed, batched and answered on the event loop; health and metrics are answered beside them, so they
work while everything else is busy; the rest goes to Django through the WSGI bridge.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from django.conf import settings

from common.errors import FloodgateError, Overloaded
from common.stores import CACHE, READ_STORE, WRITE_STORE
from gateway.accesslog import AccessLog
from gateway.addresses import Address, address_of
from gateway.apikeys import KEYS
from gateway.batcher import Batcher
from gateway.batches import run_batch
from gateway.bulkheads import bulkheads
from gateway.clients import ACCOUNT_HEADER, Client, identify, scheme_of
from gateway.correlation import correlation_id_of, fresh_id
from gateway.errors import RateLimited, ShuttingDown
from gateway.hangs import of_django
from gateway.health import health_routes
from gateway.hot import ASK_AGAIN_SECONDS, BATCH_SECONDS, Recall
from gateway.http import (
    ASGIApp,
    HotRequest,
    Message,
    Receive,
    Reply,
    Room,
    Scope,
    Send,
    correlation_headers,
    read_body,
    send_reply,
)
from gateway.idempotency import mark_of
from gateway.metrics import Tally, render
from gateway.problems import problem_reply
from gateway.ratelimits.limiter import Limiter
from gateway.ratelimits.policies import django_route, limited_routes
from gateway.ratelimits.shared import LIMITS
from gateway.ratelimits.verdicts import Asked
from gateway.refusals import METHODS, has_body, refuse_strange
from gateway.router import AnyEndpoint, Match, Router

logger = logging.getLogger(__name__)
Direct = Callable[[], Awaitable[Reply]]
LIMIT_THREADS = 2  # one more than is used, should one hang
LIMIT_QUEUE = 20_000
LIMIT_BATCH = 1_000
BODY_ROOM_BYTES = 128 * 2**20  # for bodies that come slowly, of this process
NO_CORRELATION_ID = "00000000-0000-0000-0000-000000000000"
NOBODY = Client("")


@dataclass(slots=True)
class Exchange:
    """One request, as metrics and the access log tell it when it is answered. Attributes: started: by perf_counter."""

    method: str
    address: Address
    started: float
    correlation_id: str = NO_CORRELATION_ID
    client: Client = NOBODY


async def _admit(exchange: Exchange, scope: Scope) -> None:
    """Find out who asks, and whether they may. Raises FloodgateError."""
    exchange.correlation_id = correlation_id_of(scope["headers"])
    refuse_strange(scope["method"], scope["headers"])
    exchange.client = await identify(scope, is_public=exchange.address.is_public)
    exchange.client.require(exchange.address.needs)


class Gateway:
    """Routes each request to a hot endpoint, a direct answer, or Django.

    Args: django: the bridge to Django's WSGI application.
          endpoints: all that are declared; they have their rate limits also when Django serves them.
          hot_path: whether they are served here.
    """

    def __init__(self, django: ASGIApp, endpoints: Iterable[AnyEndpoint], *, hot_path: bool = True) -> None:
        endpoints = tuple(endpoints)
        self._django = django
        self._hot_path = hot_path
        self._batcher_class = _batcher_class()
        self._router = Router(endpoints)
        self._direct: dict[str, Direct] = {**health_routes(), "/metrics": self._metrics}
        self._threads = bulkheads(endpoints)
        self._parser = ThreadPoolExecutor(1, thread_name_prefix="parser")
        self._limit_threads = ThreadPoolExecutor(LIMIT_THREADS, thread_name_prefix="limit")
        self._in_flight: Counter[str] = Counter()
        self._room = Room(BODY_ROOM_BYTES)
        self._access = AccessLog(settings.ACCESS_LOG)
        self.tally = Tally({CACHE, LIMITS, *self._threads, *map(of_django, {WRITE_STORE, READ_STORE, *self._threads})})
        self._limiter = Limiter(settings.RATE_LIMIT, settings.WEB_SERVERS * settings.WEB_WORKERS, self.tally.limited)
        self._limited_routes = limited_routes(endpoints)
        self._django_limits: Batcher[Asked, None] = self._limit_batcher()
        self._first = {endpoint.name: self._first_batcher(endpoint) for endpoint in endpoints}
        self._then = {
            endpoint.name: self._then_batcher(endpoint)
            for endpoint in endpoints
            if endpoint.recall or endpoint.asks_again_for
        }

    def _first_batcher(self, endpoint: AnyEndpoint) -> Batcher[Any, Any]:
        """Takes clients with their items, and asks the limits too."""
        asked = endpoint.recall or endpoint
        run = partial(self._limiter.run, self._limited_routes[endpoint.name], asked.run)
        return self._batcher(endpoint, run, asked)

    def _then_batcher(self, endpoint: AnyEndpoint) -> Batcher[Any, Any]:
        return self._batcher(endpoint, partial(run_batch, endpoint.run), endpoint)

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
            observe=lambda items, waited: self.tally.batch(endpoint.name, items, waited),
        )

    def _limit_batcher(self) -> Batcher[Asked, None]:
        """Asks the limits for requests to Django, which have no batch of their own to do it for."""
        return Batcher(
            self._limiter.check,
            self._limit_threads,
            LIMITS,
            answers_without_store=True,
            batch_limit=LIMIT_BATCH,
            batch_seconds=BATCH_SECONDS,
            queue_limit=LIMIT_QUEUE,
            deadline_seconds=settings.REQUEST_DEADLINE_SECONDS,
            observe=lambda items, waited: None,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            try:
                await self._http(scope, receive, send)
            except asyncio.CancelledError:  # the server stops, and has waited for as long as it may
                await _send_farewell(send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        every = (self.tally.flush_every_second(), self._access.flush_every_second(), KEYS.refresh())
        tasks = [asyncio.create_task(one) for one in every]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in tasks:
            task.cancel()
        self.tally.flush()
        ends = [threads.shutdown for threads in (self._parser, *self._threads.values(), self._limit_threads)]
        for end in (*ends, self._access.close):
            await asyncio.get_running_loop().run_in_executor(None, end)
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        direct = self._direct.get(scope["path"]) if scope["method"] in ("GET", "HEAD") else None
        if direct is not None:
            await send_reply(send, await direct(), NO_CORRELATION_ID, is_head=scope["method"] == "HEAD")
            return
        match = self._router.match(scope["method"], scope["path"])
        exchange = Exchange(scope["method"], match.endpoint.address if match else address_of(scope), perf_counter())
        try:
            await _admit(exchange, scope)
        except FloodgateError as error:
            await self._refuse(send, exchange, error)
            return
        if match and self._hot_path:
            await self._answer_hot(match, scope, receive, send, exchange)
        elif refusal := await self._limit_of_django(match, scope["path"], exchange.client):
            await self._reply(send, exchange, "django", problem_reply(refusal, exchange.correlation_id))
        else:
            await self._pass_to_django(scope, receive, send, exchange)

    async def _refuse(self, send: Send, exchange: Exchange, error: FloodgateError) -> None:
        """Before anybody looked at it; its method may be an invented one."""
        reply = problem_reply(error, exchange.correlation_id)
        await send_reply(send, reply, exchange.correlation_id, is_head=exchange.method == "HEAD")
        self.tally.request("refused", "any", reply.status, 0.0)
        self._log(exchange, reply.status, len(reply.body))

    async def _reply(self, send: Send, exchange: Exchange, route: str, reply: Reply) -> None:
        await send_reply(send, reply, exchange.correlation_id, is_head=exchange.method == "HEAD")
        self._count(exchange, route, reply.status, len(reply.body))

    def _count(self, exchange: Exchange, route: str, status: int, size: int) -> None:
        self.tally.request(route, exchange.method, status, perf_counter() - exchange.started)
        self._log(exchange, status, size)

    def _log(self, exchange: Exchange, status: int, size: int) -> None:
        if status >= self._access.from_status:
            method = exchange.method if exchange.method in METHODS else "-"
            seconds = perf_counter() - exchange.started
            where = exchange.address.template
            self._access.add(exchange.client.account, method, where, status, seconds, size, exchange.correlation_id)

    async def _answer_hot(self, match: Match, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        endpoint, client = match.endpoint, exchange.client
        request = HotRequest(match.param, scope["query_string"], scope["headers"], exchange.correlation_id)
        request.address, request.account = client.address, client.account
        try:
            self._limiter.refuse_known(self._limited_routes[endpoint.name], client.name)
            reply = await self._run_hot(endpoint, request, receive, client)
        except FloodgateError as error:
            reply = problem_reply(error, exchange.correlation_id)
        except Exception:
            fields = {"endpoint": endpoint.name, "correlation_id": exchange.correlation_id}
            logger.exception("hot_endpoint_failed", extra=fields)
            reply = problem_reply(FloodgateError(), exchange.correlation_id)
        await self._reply(send, exchange, endpoint.name, reply)

    async def _run_hot(self, endpoint: AnyEndpoint, request: HotRequest, receive: Receive, client: Client) -> Reply:
        self._refuse_beyond_limit(endpoint)
        if endpoint.body_limit_bytes or has_body(endpoint.method, request.headers):
            request.body = await read_body(receive, request.headers, endpoint.most_body_bytes, self._room)
            self._refuse_beyond_limit(endpoint)
        self._in_flight[endpoint.name] += 1
        try:
            if endpoint.method == "POST":
                request.mark = mark_of(request, endpoint.name, client.account)
            item = await self._on_parser(endpoint, request) if endpoint.parses_on_thread else endpoint.item(request)
            result = await self._first[endpoint.name].submit((client.name, item))
            if result is None and endpoint.recall:
                result = await self._then[endpoint.name].submit(item)
            if endpoint.asks_again_for:
                result = await self._final(endpoint, item, result)
            return endpoint.answer(request, result)
        finally:
            self._in_flight[endpoint.name] -= 1

    def _refuse_beyond_limit(self, endpoint: AnyEndpoint) -> None:
        if self._in_flight[endpoint.name] >= endpoint.in_flight_limit:
            raise Overloaded

    async def _final(self, endpoint: AnyEndpoint, item: Any, result: Any) -> Any:
        """The item's result once it is final or its time is up. Asking again is no request: no limit counts it."""
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

    async def _on_parser(self, endpoint: AnyEndpoint, request: HotRequest) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._parser, endpoint.item, request)

    async def _limit_of_django(self, match: Match | None, path: str, client: Client) -> FloodgateError | None:
        """Why a request to Django is refused before its body is read, if it is; ``match`` keeps its own limit."""
        if self._limiter.is_off:
            return None
        route = self._limited_routes[match.endpoint.name if match else django_route(path)]
        try:
            self._limiter.refuse_known(route, client.name)
            refusal = await self._django_limits.submit((route, client.name))
        except FloodgateError as error:
            return error
        return refusal if isinstance(refusal, RateLimited) else None  # limits must not take the rest down

    async def _pass_to_django(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        status, size = 499, 0  # the client went away before an answer

        async def send_with_correlation_id(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *correlation_headers(exchange.correlation_id)]
            size += len(message.get("body", b""))
            await send(message)

        seen = _as_django_sees_it(scope, exchange.correlation_id, exchange.client)
        await self._django(seen, receive, send_with_correlation_id)
        self._count(exchange, "django", status, size)

    async def _metrics(self) -> Reply:
        self.tally.flush()
        return await asyncio.to_thread(render)


def _batcher_class() -> type[Batcher[Any, Any]]:
    if not settings.IS_TRACED:
        return Batcher
    from gateway.tracing import TracedBatcher

    return TracedBatcher


# Django is told these by the gateway; a client's own are dropped.
_OURS = (b"correlationid", b"x-correlation-id", ACCOUNT_HEADER)


def _as_django_sees_it(scope: Scope, correlation_id: str, client: Client) -> Scope:
    headers = [pair for pair in scope["headers"] if pair[0] not in _OURS]
    ours = [(b"x-correlation-id", correlation_id.encode()), (ACCOUNT_HEADER, client.account.encode())]
    return {**scope, "headers": [*headers, *ours], "client": (client.address, 0), "scheme": scheme_of(scope)}


async def _send_farewell(send: Send) -> None:
    correlation_id = fresh_id()
    with suppress(RuntimeError):  # an answer that has begun is cut off
        await send_reply(send, problem_reply(ShuttingDown(), correlation_id), correlation_id)
