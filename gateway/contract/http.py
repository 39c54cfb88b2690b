"""One request and one answer, the same for the hot path and for DRF."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

from common.errors import Overloaded
from common.idempotency import IdempotencyRecord
from gateway.contract.headers import Fields, Headers
from gateway.errors import BodyTooLarge, IncompleteBody

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class Reply(NamedTuple):
    """A whole answer. ``headers`` come without content-type, content-length and the correlation id."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: bytes = b"application/json"


@dataclass(slots=True)
class HotRequest:
    """What an endpoint may know of a request.

    Attributes:
        param: the last path segment, decoded, where the endpoint's path has one; else empty.
        query_string: raw, without the question mark.
        fields: values of its headers by their names in lower case.
        body: whole, within the endpoint's limit.
        idempotency: from the Idempotency-Key, where the client gave one.
        address: the client's IP address.
        account: name of its API key, empty without one.
    """

    param: str
    query_string: bytes
    fields: Fields
    correlation_id: str
    body: bytes = field(default=b"", repr=False)
    idempotency: IdempotencyRecord | None = None
    address: str = ""
    account: str = ""


class Room:
    """Memory for bodies that come in pieces, shared by all requests of a process: ``left`` bytes."""

    def __init__(self, size: int) -> None:
        self.left = size

    def take(self, size: int) -> None:
        """Raises: Overloaded."""
        if size > self.left:
            raise Overloaded
        self.left -= size


async def read_body(receive: Receive, fields: Fields, limit_bytes: int, room: Room) -> bytes:
    """The request's whole body, in memory. A client that stalls is ended by the server, as one that went away.

    Raises: BodyTooLarge: over ``limit_bytes``; IncompleteBody: the client went away or sent less than it announced;
        Overloaded: others' bodies take all the room.
    """
    declared = declared_length(fields, limit_bytes)
    body, more = await body_piece(receive)
    if more:
        body = await _join_pieces(body, receive, limit_bytes, room)
    if len(body) > limit_bytes:
        raise BodyTooLarge.of(limit_bytes)
    if declared is not None and len(body) != declared:
        raise IncompleteBody
    return body


async def _join_pieces(piece: bytes, receive: Receive, limit_bytes: int, room: Room) -> bytes:
    pieces: list[bytes] = []
    size, more = 0, True
    try:
        while True:
            room.take(len(piece))
            pieces.append(piece)
            size += len(piece)
            if not more or size > limit_bytes:
                return b"".join(pieces)
            piece, more = await body_piece(receive)
    finally:
        room.left += size


async def body_piece(receive: Receive) -> tuple[bytes, bool]:
    """The next piece of a body, and whether more follow. Raises IncompleteBody when the client is gone."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise IncompleteBody
    return message.get("body", b""), message.get("more_body", False)


def declared_length(fields: Fields, limit_bytes: int) -> int | None:
    """Content-Length, if there is one.

    Raises: BodyTooLarge: it announces more than ``limit_bytes``, so nothing need be read.
    """
    value = fields.get(b"content-length")
    if value is None:
        return None
    if int(value) > limit_bytes:
        raise BodyTooLarge.of(limit_bytes)
    return int(value)


_WITHOUT_LENGTH = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


async def send_reply(send: Send, reply: Reply, correlation_id: str, *, is_head: bool = False) -> None:
    headers = reply_headers(reply, correlation_id)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else reply.body})


def reply_headers(reply: Reply, correlation_id: str) -> Headers:
    headers = [*reply.headers, *correlation_headers(correlation_id)]
    if reply.status not in _WITHOUT_LENGTH:
        headers.append((b"content-length", b"%d" % len(reply.body)))
    if reply.body:
        headers.append((b"content-type", reply.content_type))
    return headers


def correlation_headers(correlation_id: str) -> Headers:
    value = correlation_id.encode()
    return [(b"correlationid", value), (b"x-correlation-id", value)]
