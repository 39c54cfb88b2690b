"""HTTP/1.1 as the server reads it: uvicorn's protocol, with what a server without a proxy in front of it needs too.

- A head has limits of size and time and a body one of silence, or a few clients could hold memory and connections for
  ever. Only what does not come whole at once costs a timer.
- Of requests that come before their predecessors are answered only a few are read, or one client could fill the memory.
- A client that has sent all and closed its side still gets its answer.
- A target may be in absolute form, as proxies send it (RFC 9112, 3.2.2).
- Trailers are no headers, and white space around a value is not part of it (RFC 9112, 5.1 and 7.1.2).
- Refusals are problems, like all others of this service, and come behind the answers to what was asked before.
- A server that stops answers what is on its way to it, too: nobody may repeat a POST that ended in a reset.

A request that comes whole and alone, as nearly all to hot endpoints do, is answered by a call of the application's
``take``, where it has one: without a task, messages and a scope, which take half of the time of such a request.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from httptools import (
    HttpParserError,
    HttpParserInvalidMethodError,
    HttpParserUpgrade,
    HttpRequestParser,
    parse_url,
)
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from common.errors import FloodgateError
from gateway.contract.correlation import fresh_id
from gateway.contract.http import Reply, reply_headers
from gateway.contract.problems import problem_reply
from gateway.contract.refusals import METHODS
from gateway.errors import (
    BodyStalled,
    HeadStalled,
    HeadTooLarge,
    IncompleteBody,
    MalformedRequest,
    TargetTooLong,
    UnknownMethod,
)

TARGET_BYTES = 8 * 1024
HEAD_BYTES = 64 * 1024
HEADERS = 100
HEAD_SECONDS = 10.0
BODY_STALL_SECONDS = 20.0
STOPPING_STALL_SECONDS = 2.0  # while the server stops
STOPPING_SILENT_SECONDS = 1  # between requests, for one that is on its way when the server stops
LINGER_SECONDS = 2.0
PIECE_BYTES = 4 * 1024  # that are read before a look at how many requests they were
BODY_PIECE_BYTES = 64 * 1024
MOST_UNANSWERED = 8
OFFERS = {b"connection", b"upgrade", b"http2-settings"}  # of another protocol
_METHOD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) \S+ HTTP/1\.[01]\r?\n")


class Protocol(HttpToolsProtocol):
    """One connection. Between requests it may be silent for as long as the server's ``keepalive`` says.

    ``cycle`` is uvicorn's name for the request that was read last; ``pipeline`` has those that wait for their turn, the
    newest first.
    """

    flow: "_Flow"

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport)
        self._held = b""  # what came and is read later
        self._refusal: FloodgateError | None = None
        self._is_refused = False  # what comes is not read any more
        self._is_last = False  # the connection ends with the request that is read
        self._unanswered = 0
        self._answering: RequestResponseCycle | None = None  # whose turn it is
        self._is_stopping = False
        self._head_seconds, self._stall_seconds = HEAD_SECONDS, BODY_STALL_SECONDS
        self._is_in_head = self._is_in_body = self._has_host = False
        self._is_all_head = False  # of one head, the piece of data that is read
        self._head_bytes = self._piece_bytes = 0
        self._timer: asyncio.TimerHandle | None = None  # of a head, of a body, or of one that nobody wants
        self._take: Callable[..., bool] = getattr(self.app, "take", _take_nothing)
        self._whole: bytes | None = None  # what there is of the body of a request that nobody has begun to answer
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._answering is not None:
            self._disconnect(self._answering)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def shutdown(self) -> None:
        """The connection ends with its next answer, or after a moment in which nothing is asked."""
        self._is_stopping, self.timeout_keep_alive = True, STOPPING_SILENT_SECONDS
        self._head_seconds = self._stall_seconds = STOPPING_STALL_SECONDS
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False
            self.cycle.transport = _LastAnswer(self.transport, self.close_after_answer)  # type: ignore[assignment]
        if self._is_in_head:
            self._stop_timer()
        if not self._is_refused and not self.transport.is_closing():
            self._wait_for_more()

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._unset_keepalive_if_required()
        if self._held:
            self._held += data
        else:
            self._read(data)

    def _read(self, data: bytes) -> None:
        begin = 0
        while begin < len(data) and not self._is_refused:
            if self._unanswered > MOST_UNANSWERED:
                self._hold(data[begin:])
                return
            end = begin + (BODY_PIECE_BYTES if self._is_in_body else PIECE_BYTES)
            self._read_piece(data[begin:end])
            begin = end
        if not self._is_refused and not self.transport.is_closing():
            self._wait_for_more()

    def _read_piece(self, piece: bytes) -> None:
        self._piece_bytes, self._is_all_head = len(piece), self._is_in_head
        self._feed(piece)
        if self._is_in_head and self._is_all_head:
            self._head_bytes += len(piece)
            if self._head_bytes > HEAD_BYTES and not self._is_refused:
                self._refuse_rest(HeadTooLarge.of(HEADERS, HEAD_BYTES))

    def _hold(self, data: bytes) -> None:
        """Until most of what was read is answered."""
        self._stop_timer()
        self._held = data
        self.flow.is_full = True
        self.flow.pause_reading()

    def _read_held(self) -> None:
        if self._is_refused or self.transport.is_closing():
            return
        held, self._held = self._held, b""
        self.flow.is_full = False
        self._read(held)
        if not self._held:
            self.flow.resume_reading()

    def _wait_for_more(self) -> None:
        if self._is_in_head:
            self._wait_for_head()
        elif self._is_in_body:
            self._wait_for_body()
        elif not self._unanswered:
            self._wait_for_request()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
            if self._whole is not None:
                self._begin()
        except HttpParserUpgrade as upgrade:
            self._feed_without_upgrade(data[upgrade.args[0] :])
        except HttpParserInvalidMethodError:
            is_invented = any(method.decode() not in METHODS for method in _METHOD.findall(data))
            self._refuse_rest(UnknownMethod() if is_invented else MalformedRequest())
        except HttpParserError:
            self._refuse_rest(self._refusal or MalformedRequest())

    def _feed_without_upgrade(self, rest: bytes) -> None:
        """The parser stops at a head that offers another protocol. Java's client does so with its first request, and
        sends its body all the same: a fresh parser gets the head without the offer, and what follows."""
        headers = [header for header in self.headers if header[0] not in OFFERS]
        if not self.parser.should_keep_alive():
            headers.append((b"connection", b"close"))
        head = b"%b %b HTTP/1.1\r\n" % (self.parser.get_method(), self.url)
        self.parser = HttpRequestParser(self)
        self._feed(head + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + rest)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keeps the connection where requests wait for their answers. It ends with the last of them."""
        if self._is_refused:
            return bool(self._unanswered)
        if self._is_in_body and not self.cycle.response_complete:
            self._refuse_rest(IncompleteBody())
            return True
        if not self._unanswered:
            return False
        self.cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self._is_in_head, self._is_all_head, self._has_host = True, False, False

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > TARGET_BYTES:
            self._refuse(TargetTooLong())

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_body:  # a trailer
            return
        name, value = name.lower(), value.rstrip(b" \t")
        if name == b"host":
            self._has_host = True
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._stop_timer()
        if self.parser.get_method() == b"CONNECT":
            self._refuse(UnknownMethod())
        if self.parser.should_upgrade():
            return
        if self._head_bytes + self._piece_bytes > HEAD_BYTES or len(self.headers) > HEADERS:
            self._refuse_large_head()
        if not self.url.startswith(b"/"):
            self._make_relative()
        if not self._has_host and self.parser.get_http_version() == "1.1":
            self._refuse(MalformedRequest())
        self._head_bytes = 0
        self._is_in_head, self._is_in_body = False, True
        self._unset_keepalive_if_required()  # one before it in the same data may be answered already
        self._unanswered += 1
        if self._unanswered == 1 and not self.expect_100_continue and not self.flow.write_paused:
            self._whole = b""
        else:
            self._begin()

    def _begin(self) -> None:
        """Start the application with what there is of the request; more of its body may come."""
        url, headers, body = self.url, self.headers, self._whole
        expect_100_continue, self._whole = self.expect_100_continue, None
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect_100_continue
        self.headers = self.scope["headers"] = headers
        super().on_headers_complete()
        if not self.pipeline:
            self._answering = self.cycle
        if self._is_stopping:
            self.cycle.keep_alive = False
        if not self.cycle.keep_alive:
            self.cycle.transport = _LastAnswer(self.transport, self.close_after_answer)  # type: ignore[assignment]
        if body:
            super().on_body(body)

    def on_body(self, body: bytes) -> None:
        if self._whole is None:
            super().on_body(body)
        else:
            self._whole += body

    def on_message_complete(self) -> None:
        if not self._is_in_body:  # a head that offers another protocol
            return
        if self._whole is not None:
            if self._is_taken(self._whole):
                self._whole = None
                return
            self._begin()
        super().on_message_complete()
        self._is_in_body = False
        self._stop_timer()
        if self._is_last and self.cycle.response_complete:
            self.transport.close()

    def _is_taken(self, body: bytes) -> bool:
        """Whether the application answers the request by a call, perhaps at once."""
        before, request = self.cycle, _Taken(self, keep_alive=self._is_kept_alive())
        self._answering = self.cycle = request  # type: ignore[assignment]
        self._is_in_body = False
        method, peer = self.parser.get_method().decode(), self.client[0] if self.client else ""
        if self._take(method, self.url, self.headers, body, peer, request.answer):
            return True
        self._answering, self.cycle, self._is_in_body = None, before, True
        return False

    def _is_kept_alive(self) -> bool:
        return not self._is_stopping and self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()

    def on_response_complete(self) -> None:
        following = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()
        self._answering = following
        self._unanswered -= 1
        if self.transport.is_closing():
            return
        if self._is_refused:
            self._answer_refusal_in_turn()
        elif self._is_in_body and not self._unanswered:
            self._linger()
        elif self._held and self._unanswered < MOST_UNANSWERED:
            self.loop.call_soon(self._read_held)

    def close_after_answer(self) -> None:
        """At once, unless more of the request is to come: see ``_linger``. What came behind it is not begun."""
        self._is_last = True
        if self._is_in_body and self._unanswered == 1:
            self.transport.write_eof()
        else:
            self.transport.close()

    def _refuse_rest(self, refusal: FloodgateError) -> None:
        """Of what comes nothing can be told any more. The request that it should have been part of is not answered."""
        self._stop_timer()
        self._refusal, self._is_refused = refusal, True
        if self._whole is not None:
            self._unanswered -= 1
            self._whole, self._is_in_body = None, False
        elif self._is_in_body and not self.cycle.response_complete:
            self._unanswered -= 1
            self._give_up_request()
        self._answer_refusal_in_turn()

    def _give_up_request(self) -> None:
        if self.pipeline:  # it was not its turn
            self.pipeline.popleft()
            return
        self._disconnect(self.cycle)
        if self.cycle.response_started:
            self.transport.close()

    def _disconnect(self, request: RequestResponseCycle) -> None:
        """Nothing that the application says to it is sent any more."""
        request.disconnected = True
        request.message_event.set()

    def _answer_refusal_in_turn(self) -> None:
        if self._unanswered or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        correlation_id = fresh_id()
        self.write(problem_reply(self._refusal or MalformedRequest(), correlation_id), correlation_id, is_last=True)
        self.transport.write_eof()
        self._linger()

    def write(self, reply: Reply, correlation_id: str, *, is_last: bool) -> None:
        """A whole answer."""
        headers = [*self.server_state.default_headers, *reply_headers(reply, correlation_id)]
        if is_last:
            headers.append((b"connection", b"close"))
        lines = [b"%b: %b\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[reply.status], *lines, b"\r\n", reply.body]))

    def _linger(self) -> None:
        """Read on for a moment after a refusal: closing on a client that sends would reset it before it sees why."""
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _wait_for_request(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _wait_for_head(self) -> None:
        """The rest of a head must come in time."""
        if self._timer is None:
            self._timer = self.loop.call_later(self._head_seconds, self._refuse_rest, HeadStalled())

    def _wait_for_body(self) -> None:
        """More of a body that somebody wants must come in time."""
        if not self.cycle.response_complete:
            self._stop_timer()
            self._timer = self.loop.call_later(self._stall_seconds, self._give_up_body)

    def _give_up_body(self) -> None:
        """Not while nobody reads it, and not before it is its turn to be answered."""
        if self.flow.read_paused or self.pipeline:
            self._wait_for_body()
        else:
            self._refuse_rest(BodyStalled())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse_large_head(self) -> None:
        """The last piece may hold more than the head, so this looks again."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > HEAD_BYTES or len(self.headers) > HEADERS:
            self._refuse(HeadTooLarge.of(HEADERS, HEAD_BYTES))

    def _refuse(self, error: FloodgateError) -> None:
        """Raised in a callback of the parser it stops the parser, which has its own words for that."""
        self._refusal = error
        raise error

    def _make_relative(self) -> None:
        """Of an absolute form the host counts, not the header's; OPTIONS of ``*`` asks for the server as a whole."""
        if self.url == b"*" and self.parser.get_method() == b"OPTIONS":
            self.url = b"/"
            return
        target = parse_url(self.url)
        if (target.schema or b"").lower() not in (b"http", b"https") or not target.host:
            self._refuse(MalformedRequest())
        host = b"[%b]" % target.host if b":" in target.host else target.host
        if target.port is not None:
            host = b"%b:%d" % (host, target.port)
        self.url = (target.path or b"/") + (b"?" + target.query if target.query else b"")
        self.headers[:] = [header for header in self.headers if header[0] != b"host"]
        self.headers.append((b"host", host))
        self._has_host = True


def _take_nothing(*request: Any) -> bool:
    return False


class _Flow(FlowControl):
    """Reading does not go on with each answer while enough is read."""

    is_full = False

    def resume_reading(self) -> None:
        if not self.is_full:
            super().resume_reading()


class _Taken:
    """A request that the application answers by a call, with what this module and uvicorn's ask of a request."""

    response_started = response_complete = disconnected = False
    message_event = asyncio.Event()  # nobody waits for it

    def __init__(self, protocol: Protocol, *, keep_alive: bool) -> None:
        self._protocol = protocol
        self.keep_alive = keep_alive

    def answer(self, reply: Reply, correlation_id: str) -> None:
        """Once. Nothing is sent to a client that is gone."""
        if self.disconnected or self._protocol.transport.is_closing():
            return
        self.response_started = self.response_complete = True
        self._protocol.write(reply, correlation_id, is_last=not self.keep_alive)
        if not self.keep_alive:
            self._protocol.close_after_answer()
        self._protocol.on_response_complete()


class _LastAnswer:
    """The transport, as a request sees it with which the connection ends."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport = transport
        self.close = close

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
