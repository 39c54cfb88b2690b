"""Django's WSGI application behind the event loop, on a bounded number of threads.

Both directions are spooled, as a reverse proxy does: a thread is taken when the whole request is here and is free again
as soon as Django has answered, so slow uploads and stalled downloads hold memory or disk, never a thread. It also means
that nothing is sent before the answer is known: an application that fails half-way is a clean 500.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings

from common.errors import FloodgateError, Overloaded, StoreUnavailable
from gateway.contract.headers import Headers, fields_of
from gateway.contract.http import Receive, Reply, Scope, Send
from gateway.contract.problems import problem_reply
from gateway.contract.spool import Spool, close_quietly, new_spool, read_pieces, spool_body, write_all
from gateway.endpoints.addresses import Address, address_of
from gateway.operate.metrics import WSGI_IN_FLIGHT
from gateway.server.environ import wsgi_environ
from gateway.server.hangs import Watch, refuse_known

logger = logging.getLogger(__name__)

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
PERMIT_WAIT_SECONDS = 1.0
STORELESS_THREADS = 2  # for pages and files that need no store, and so have no connection to one
ANSWER_SECONDS = 10.0  # as long as a statement may take
PARSED_BYTES_PER_SECOND = 20e6  # of an upload, by Django; 115 MB/s on an idle machine (2026-11)
SEND_STALL_SECONDS = 10.0


@dataclass(slots=True)
class SpooledResponse:
    """``body`` holds ``size`` bytes; ``headers`` have names in lower case."""

    status: int
    headers: Headers
    body: Spool
    size: int


class WorkerThreads:
    """Worker threads for some of the requests: others hold up none of these."""

    def __init__(self, name: str, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"wsgi-{name}")
        self._permits = asyncio.Semaphore(threads)

    async def run(self, work: Callable[[], SpooledResponse]) -> SpooledResponse:
        """Raises Overloaded: no thread was free; and what the work raises."""
        async with self._permit():
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @asynccontextmanager
    async def _permit(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(PERMIT_WAIT_SECONDS):
                await self._permits.acquire()
        except TimeoutError as exc:
            raise Overloaded from exc
        try:
            with WSGI_IN_FLIGHT.track_inprogress():
                yield
        finally:
            self._permits.release()


def split_threads(threads: int) -> tuple[int, int]:
    """How many of WSGI_THREADS are for people, and for machines: a quarter for the former, one at least for each."""
    people = max(1, threads // 4)
    return people, max(1, threads - people)


class WSGIBridge:
    """ASGI application that answers through a WSGI application.

    Args: app: the WSGI application; runs on threads of this process: WSGI_THREADS, and STORELESS_THREADS.
          body_limits: bytes of a body by path; BODY_LIMIT_BYTES on all others.
    """

    def __init__(self, app: WSGIApp, body_limits: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._body_limits = body_limits or {}
        people, machines = split_threads(settings.WSGI_THREADS)
        self._people, self._machines = WorkerThreads("people", people), WorkerThreads("machines", machines)
        self._storeless = WorkerThreads("storeless", STORELESS_THREADS)
        self._watch = Watch()
        self._calls: set[asyncio.Task[SpooledResponse]] = set()
        settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._respond(scope, receive)
        except FloodgateError as error:
            await _send_problem(send, scope, error)
        except Exception:
            logger.exception("wsgi_application_failed", extra={"path": scope["path"]})
            await _send_problem(send, scope, FloodgateError())
        else:
            with response.body:
                await _send_response(send, scope, response)

    async def _respond(self, scope: Scope, receive: Receive) -> SpooledResponse:
        address = address_of(scope)
        if not address.answers_without_store:
            refuse_known(address.stores)
        limit_bytes = self._body_limits.get(scope["path"], settings.BODY_LIMIT_BYTES)
        body, size = await spool_body(receive, scope["headers"], limit_bytes)
        call = asyncio.create_task(self._call(self._threads_for(address), wsgi_environ(scope, body, size), body))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        try:  # a thread can't be stopped: it keeps its permit until it is done
            await self._watch.wait(call, address.stores, ANSWER_SECONDS + size / PARSED_BYTES_PER_SECOND)
        except (StoreUnavailable, asyncio.CancelledError):
            call.add_done_callback(_close_unwanted)
            raise
        return call.result()

    def _threads_for(self, address: Address) -> WorkerThreads:
        if not address.is_public:
            return self._machines
        return self._people if address.stores else self._storeless

    async def _call(self, threads: WorkerThreads, environ: dict[str, Any], body: Spool) -> SpooledResponse:
        with body:
            return await threads.run(partial(run_wsgi, self._app, environ))


def run_wsgi(app: WSGIApp, environ: dict[str, Any]) -> SpooledResponse:
    """Run the application to its end, on the calling thread.

    Raises: StorageFull: no room for its answer; and whatever the application raises.
    """
    response = SpooledResponse(0, [], new_spool(), 0)

    def write(piece: bytes) -> None:
        response.size += len(piece)
        write_all(response.body, [piece])

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        response.status = int(status.split(" ", 1)[0])
        response.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return write

    try:
        _exhaust(app(environ, start_response), write)
        if _has_body(environ["REQUEST_METHOD"], response.status):
            _set_length(response)
    except BaseException:
        close_quietly(response.body)
        raise
    return response


def _exhaust(result: Iterable[bytes], write: Callable[[bytes], None]) -> None:
    """WSGI results may have a ``close``; Django gives its database connections back there."""
    try:
        for piece in result:
            write(piece)
    finally:
        getattr(result, "close", lambda: None)()


def _set_length(response: SpooledResponse) -> None:
    declared = fields_of(response.headers).get(b"content-length")
    if declared is None:
        response.headers.append((b"content-length", b"%d" % response.size))
    elif int(declared) != response.size:
        raise RuntimeError(f"The application announced {int(declared)} bytes and gave {response.size}.")


def _has_body(method: str, status: int) -> bool:
    return method != "HEAD" and status >= 200 and status not in (204, 304)


def _close_unwanted(call: asyncio.Task[SpooledResponse]) -> None:
    if not call.cancelled() and call.exception() is None:
        call.result().body.close()


async def _send_response(send: Send, scope: Scope, response: SpooledResponse) -> None:
    await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
    try:
        if _has_body(scope["method"], response.status):
            async for piece in read_pieces(response.body, response.size):
                async with asyncio.timeout(SEND_STALL_SECONDS):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})
    except TimeoutError:
        logger.info(
            "stalled_client_dropped", extra={"path": scope["path"]}
        )  # the server closes on an unfinished answer


async def _send_problem(send: Send, scope: Scope, error: FloodgateError) -> None:
    """The gateway has put the correlation id into the request and adds it to the answer."""
    correlation_id = fields_of(scope["headers"]).get(b"x-correlation-id", b"").decode()
    reply = problem_reply(error, correlation_id)
    await send({"type": "http.response.start", "status": reply.status, "headers": _problem_headers(reply)})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})


def _problem_headers(reply: Reply) -> Headers:
    length = b"%d" % len(reply.body)
    return [(b"content-type", reply.content_type), (b"content-length", length), *reply.headers]
