"""The ASGI application: every request passes here.

Hot endpoints are parsed, batched and answered on the event loop; health and metrics are answered beside them, so they
work while everything else is busy; the rest goes to Django through the WSGI bridge.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from django.conf import settings

from common.errors import FloodgateError, RateLimited
from common.stores.guarded import CACHE, READ_STORE, WRITE_STORE
from gateway.batching.batcher import Batcher
from gateway.batching.bulkheads import threads_by_store
from gateway.contract.correlation import correlation_id_of, fresh_id
from gateway.contract.headers import Fields, Headers, fields_of, refuse_repeated
from gateway.contract.http import (
    ASGIApp,
    HotRequest,
    Message,
    Receive,
    Reply,
    Scope,
    Send,
    correlation_headers,
    send_reply,
)
from gateway.contract.problems import problem_reply
from gateway.contract.refusals import METHODS, refuse_strange
from gateway.endpoints.addresses import Address, address_of
from gateway.endpoints.hot import BATCH_SECONDS
from gateway.endpoints.router import AnyEndpoint, Match, Router
from gateway.errors import ShuttingDown
from gateway.keys.apikeys import KEYS
from gateway.keys.clients import ACCOUNT_HEADER, Client, identify, identify_now, peer_of, scheme_of
from gateway.operate.health import health_routes
from gateway.operate.metrics import Tally, render
from gateway.ratelimits.limiter import Limiter
from gateway.ratelimits.policies import django_route, limited_routes
from gateway.ratelimits.shared import LIMITS
from gateway.ratelimits.verdicts import Asked
from gateway.server.accesslog import AccessLog
from gateway.server.hangs import of_django
from gateway.server.hotpath import HotPath

logger = logging.getLogger(__name__)
Direct = Callable[[], Awaitable[Reply]]
Answer = Callable[[Reply, str], object]  # with the correlation id
LIMIT_THREADS = 2  # one more than is used, should one hang
LIMIT_QUEUE = 20_000
LIMIT_BATCH = 1_000
NO_CORRELATION_ID = "00000000-0000-0000-0000-000000000000"
NOBODY = Client("")


@dataclass(slots=True)
class Exchange:
    """One request, as metrics and the access log tell it when it is answered. Attributes: started: by perf_counter."""

    method: str
    address: Address
    fields: Fields
    started: float
    correlation_id: str = NO_CORRELATION_ID
    client: Client = NOBODY

    def refuse_strange(self, headers: Headers) -> None:
        """Raises FloodgateError."""
        self.correlation_id = correlation_id_of(self.fields)
        if len(headers) > len(self.fields):
            refuse_repeated(headers)
        refuse_strange(self.method, self.fields)

    def admit(self, client: Client) -> None:
        """Raises InsufficientScope."""
        self.client = client
        client.require(self.address.needs)


class Gateway:
    """Routes each request to a hot endpoint, a direct answer, or Django.

    Args: django: the bridge to Django's WSGI application.
          endpoints: all that are declared; they have their rate limits also when Django serves them.
          hot_path: whether they are served here.
    """

    def __init__(self, django: ASGIApp, endpoints: Iterable[AnyEndpoint], *, hot_path: bool = True) -> None:
        endpoints = tuple(endpoints)
        self._django = django
        self._router = Router(endpoints)
        self._hot_path = hot_path
        self._direct: dict[str, Direct] = {**health_routes(), "/metrics": self._metrics}
        self._limit_threads = ThreadPoolExecutor(LIMIT_THREADS, thread_name_prefix="limit")
        self._access = AccessLog(settings.ACCESS_LOG)
        stores = set(threads_by_store(endpoints))
        self.tally = Tally({CACHE, LIMITS, *stores, *map(of_django, {WRITE_STORE, READ_STORE, *stores})})
        self._limiter = Limiter(settings.RATE_LIMIT, settings.WEB_SERVERS * settings.WEB_WORKERS, self.tally.limited)
        self._limited_routes = limited_routes(endpoints)
        self._django_limits: Batcher[Asked, None] = self._limit_batcher()
        self._hot = HotPath(endpoints, self._limiter, self._limited_routes, self.tally)

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
            name="limits of Django",
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
        ends = [threads.shutdown for threads in (*self._hot.executors, self._limit_threads)]
        for end in (*ends, self._access.close):
            await asyncio.get_running_loop().run_in_executor(None, end)
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        direct = self._direct.get(scope["path"]) if scope["method"] in ("GET", "HEAD") else None
        if direct is not None:
            await send_reply(send, await direct(), NO_CORRELATION_ID, is_head=scope["method"] == "HEAD")
            return
        match = self._router.match(scope["method"], scope["path"])
        address = match.endpoint.address if match else address_of(scope)
        exchange = Exchange(scope["method"], address, fields_of(scope["headers"]), perf_counter())
        try:
            exchange.refuse_strange(scope["headers"])
            exchange.admit(await identify(peer_of(scope), exchange.fields, is_public=address.is_public))
        except FloodgateError as error:
            await self._refuse(send, exchange, error)
            return
        if match and self._hot_path:
            await self._answer_hot(match, scope, receive, send, exchange)
        elif refusal := await self._limit_of_django(match, scope["path"], exchange.client):
            await self._reply(send, exchange, "django", problem_reply(refusal, exchange.correlation_id))
        else:
            await self._pass_to_django(scope, receive, send, exchange)

    def take(self, method: str, target: bytes, headers: Headers, body: bytes, peer: str, answer: Answer) -> bool:
        """Have a whole request to a hot endpoint answered by a call, now or later, as ``__call__`` would answer it.

        Returns: False, and nothing was done, where it is none or must be waited for before it is known who asks. Never
        raises.
        """
        path, _, query_string = target.partition(b"?")
        match = self._router.match(method, path.decode("latin-1")) if self._hot_path else None
        if match is None or match.endpoint.parses_on_thread or b"%" in path or b"#" in target:
            return False
        exchange = Exchange(method, match.endpoint.address, fields_of(headers), perf_counter())
        try:
            exchange.refuse_strange(headers)
            client = identify_now(peer, exchange.fields, is_public=False)
            if client is None:
                return False
            exchange.admit(client)
        except FloodgateError as error:
            answer(self._refusal(exchange, error), exchange.correlation_id)
            return True
        except Exception:
            logger.exception("request_not_admitted", extra={"correlation_id": exchange.correlation_id})
            answer(self._refusal(exchange, FloodgateError()), exchange.correlation_id)
            return True
        request = _hot_request(match, exchange, query_string, body)
        self._hot.start(match.endpoint, request, client, partial(self._answer, exchange, match.endpoint.name, answer))
        return True

    def _answer(self, exchange: Exchange, route: str, answer: Answer, reply: Reply) -> None:
        answer(reply, exchange.correlation_id)
        self._count(exchange, route, reply.status, len(reply.body))

    async def _refuse(self, send: Send, exchange: Exchange, error: FloodgateError) -> None:
        reply = self._refusal(exchange, error)
        await send_reply(send, reply, exchange.correlation_id, is_head=exchange.method == "HEAD")

    def _refusal(self, exchange: Exchange, error: FloodgateError) -> Reply:
        """Before anybody looked at it; its method may be an invented one."""
        reply = problem_reply(error, exchange.correlation_id)
        self.tally.request("refused", "any", reply.status, 0.0)
        self._log(exchange, reply.status, len(reply.body))
        return reply

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
        request = _hot_request(match, exchange, scope["query_string"])
        reply = await self._hot.ask(match.endpoint, request, receive, exchange.client)
        await self._reply(send, exchange, match.endpoint.name, reply)

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

        seen = _as_django_sees_it(scope, exchange)
        await self._django(seen, receive, send_with_correlation_id)
        self._count(exchange, "django", status, size)

    async def _metrics(self) -> Reply:
        self.tally.flush()
        return await asyncio.to_thread(render)


def _hot_request(match: Match, exchange: Exchange, query_string: bytes, body: bytes = b"") -> HotRequest:
    address, account = exchange.client.address, exchange.client.account
    return HotRequest(match.param, query_string, exchange.fields, exchange.correlation_id, body, None, address, account)


# Django is told these by the gateway; a client's own are dropped.
_OURS = (b"correlationid", b"x-correlation-id", ACCOUNT_HEADER)


def _as_django_sees_it(scope: Scope, exchange: Exchange) -> Scope:
    client, scheme = exchange.client, scheme_of(scope, exchange.fields)
    headers = [pair for pair in scope["headers"] if pair[0] not in _OURS]
    ours = [(b"x-correlation-id", exchange.correlation_id.encode()), (ACCOUNT_HEADER, client.account.encode())]
    return {**scope, "headers": [*headers, *ours], "client": (client.address, 0), "scheme": scheme}


async def _send_farewell(send: Send) -> None:
    correlation_id = fresh_id()
    with suppress(RuntimeError):  # an answer that has begun is cut off
        await send_reply(send, problem_reply(ShuttingDown(), correlation_id), correlation_id)
