"""HTTP/1.1 as the server reads it: uvicorn's protocol, with what a server without a proxy in front of it needs too.

- A head has limits of size and time and a body one of silence, or a few clients could hold memory and connections for
  ever. Only what does not come whole at once costs a timer.
- A client that has sent all and closed its side still gets its answer.
- A target may be in absolute form, as proxies send it (RFC 9112, 3.2.2).
- Refusals are problems, like all others of this service.
"""

import asyncio
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from common.errors import FloodgateError
from gateway.correlation import fresh_id
from gateway.errors import BodyStalled, HeadStalled, HeadTooLarge, MalformedRequest, TargetTooLong
from gateway.http import correlation_headers
from gateway.problems import problem_reply

TARGET_BYTES = 8 * 1024
HEAD_BYTES = 64 * 1024
HEADERS = 100
HEAD_SECONDS = 10.0
BODY_STALL_SECONDS = 20.0
LINGER_SECONDS = 2.0
OFFERS = {b"connection", b"upgrade", b"http2-settings"}  # of another protocol


class Protocol(HttpToolsProtocol):
    """One connection. Between requests it may be silent for as long as the server's ``keepalive`` says."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._refusal: FloodgateError | None = None
        self._head_bytes = self._piece_bytes = 0
        self._is_in_body = self._is_refused = False
        self._timer: asyncio.TimerHandle | None = None  # of a head, of a body, or of one that nobody wants
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._unset_keepalive_if_required()
        self._piece_bytes = len(data)
        self._feed(data)
        if self._is_refused or self.transport.is_closing():
            return
        if self._is_in_body:
            self._wait_for_body()
        elif self._is_idle():
            self._wait_for_head()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._feed_without_upgrade(data[upgrade.args[0] :])
        except HttpParserError:
            self.send_400_response("")

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
        if self._is_idle() or self._is_in_body:
            return False
        self._newest().keep_alive = False
        return True

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > TARGET_BYTES:
            self._refuse(TargetTooLong())

    def on_headers_complete(self) -> None:
        self._stop_timer()
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            return
        if self._head_bytes + self._piece_bytes > HEAD_BYTES or len(self.headers) > HEADERS:
            self._refuse_large_head()
        self._head_bytes = 0
        self._is_in_body = True
        if not self.url.startswith(b"/"):
            self._make_relative()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._is_in_body:  # a head that offers another protocol
            return
        super().on_message_complete()
        self._is_in_body = False
        self._stop_timer()
        if self._newest().response_complete:
            self._wait_for_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_in_body and not self.pipeline and not self.transport.is_closing():
            self._linger()

    def send_400_response(self, msg: str) -> None:
        """Whatever is wrong with the framing of a request, whose rest cannot be told from the next one any more."""
        self._stop_timer()
        correlation_id = fresh_id()
        reply = problem_reply(self._refusal or MalformedRequest(), correlation_id)
        headers = [
            *self.server_state.default_headers,
            *correlation_headers(correlation_id),
            (b"content-type", reply.content_type),
            (b"content-length", b"%d" % len(reply.body)),
            (b"connection", b"close"),
        ]
        head = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[reply.status] + head + b"\r\n" + reply.body)
        self.transport.write_eof()
        self._is_refused = True
        self._linger()

    def _linger(self) -> None:
        """Read on for a moment after a refusal: closing on a client that sends would reset it before it sees why."""
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _newest(self) -> Any:
        """The request that was read last, uvicorn's ``RequestResponseCycle``."""
        return self.pipeline[0][0] if self.pipeline else self.cycle

    def _is_idle(self) -> bool:
        """Whether no request waits for its answer."""
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_request(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _wait_for_head(self) -> None:
        """The rest of a head must come in time, and must not be endless."""
        self._head_bytes += self._piece_bytes
        if self._head_bytes > HEAD_BYTES:
            self._refusal = HeadTooLarge.of(HEADERS, HEAD_BYTES)
            self.send_400_response("")
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up_head)

    def _give_up_head(self) -> None:
        if not self.transport.is_closing():
            self._refusal = HeadStalled()
            self.send_400_response("")

    def _wait_for_body(self) -> None:
        """More of a body that somebody wants must come in time."""
        if not self._newest().response_complete:
            self._stop_timer()
            self._timer = self.loop.call_later(BODY_STALL_SECONDS, self._give_up_body)

    def _give_up_body(self) -> None:
        """Not while nobody reads it, and not before it is its turn to be answered."""
        request = self._newest()
        if self.flow.read_paused or request is not self.cycle:
            self._wait_for_body()
        elif request.response_started:
            self.transport.close()
        elif not self.transport.is_closing():
            request.disconnected = True  # nothing that the application says is sent any more
            request.message_event.set()
            self._refusal = BodyStalled()
            self.send_400_response("")

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
        if self.url == b"*":
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
