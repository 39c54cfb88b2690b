import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.conf import settings

from common.errors import FloodgateError
from gateway.contract.headers import Headers
from gateway.contract.http import Message, Receive
from gateway.contract.spool import (
    MEMORY_BYTES,
    PIECE_BYTES,
    close_quietly,
    new_spool,
    read_pieces,
    spool_body,
    write_all,
)
from gateway.errors import BodyStalled, BodyTooLarge, IncompleteBody, StorageFull


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "SPOOL_DIR", tmp_path)


def client(pieces: Iterable[bytes], *, ends: bool = True) -> Receive:
    """A client that sends ``pieces`` and then ends its body, or hangs up."""
    rest = iter(pieces)

    async def receive() -> Message:
        piece = next(rest, None)
        if piece is not None:
            return {"type": "http.request", "body": piece, "more_body": True}
        return {"type": "http.request", "body": b""} if ends else {"type": "http.disconnect"}

    return receive


def taken_in(receive: Receive, headers: Headers = [], limit_bytes: int = 10**9) -> bytes:  # noqa: B006
    body, size = asyncio.run(spool_body(receive, headers, limit_bytes))
    with body:
        content = body.read()
    assert len(content) == size
    return content


@pytest.mark.parametrize("size", [0, 1, MEMORY_BYTES, MEMORY_BYTES + 1, 3 * MEMORY_BYTES + 7])
def test_a_body_is_taken_in_whole_and_in_order(size: int) -> None:
    sent = bytes(i * 31 % 251 for i in range(1000)) * (size // 1000 + 1)
    pieces = [sent[start : start + 60_000] for start in range(0, size, 60_000)]
    pieces = [piece[: size - 60_000 * i] for i, piece in enumerate(pieces)]
    assert taken_in(client(pieces), [(b"content-length", b"%d" % size)]) == sent[:size]


def test_what_is_announced_too_large_is_refused_unread() -> None:
    async def nobody_reads() -> Message:
        raise AssertionError("the body was read")

    with pytest.raises(BodyTooLarge):
        taken_in(nobody_reads, [(b"content-length", b"11")], limit_bytes=10)


def test_what_grows_too_large_is_refused() -> None:
    with pytest.raises(BodyTooLarge):
        taken_in(client([b"x" * 6, b"x" * 5]), limit_bytes=10)
    assert taken_in(client([b"x" * 6, b"x" * 4]), limit_bytes=10) == b"x" * 10


@pytest.mark.parametrize("ends", [True, False])
def test_a_body_shorter_than_announced_is_refused(ends: bool) -> None:
    with pytest.raises(IncompleteBody):
        taken_in(client([b"12345"], ends=ends), [(b"content-length", b"10")])


def test_a_full_disk_has_a_name_and_its_spool_still_closes() -> None:
    body = new_spool()
    with Path("/dev/full").open("wb") as full:
        vars(body).update(_file=full)
        with pytest.raises(StorageFull):
            write_all(body, [b"x"])
        close_quietly(body)
    assert body.closed


def test_spools_have_no_names(tmp_path: Path) -> None:
    with new_spool() as body:
        write_all(body, [b"x" * (MEMORY_BYTES + 1)])
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 5, PIECE_BYTES, MEMORY_BYTES + PIECE_BYTES + 1])
def test_a_spool_is_read_in_pieces(size: int) -> None:
    async def pieces() -> list[bytes]:
        with new_spool() as body:
            write_all(body, [b"y" * size])
            return [piece async for piece in read_pieces(body, size)]

    found = asyncio.run(pieces())
    assert b"".join(found) == b"y" * size
    assert all(0 < len(piece) <= PIECE_BYTES for piece in found)


def test_every_refusal_of_a_body_has_a_status() -> None:
    from gateway.contract.problems import problem_reply

    refusals: list[tuple[FloodgateError, int]] = [
        (BodyTooLarge.of(1), 413),
        (IncompleteBody(), 400),
        (BodyStalled(), 408),
        (StorageFull(), 507),
    ]
    assert [problem_reply(error, "").status for error, _ in refusals] == [status for _, status in refusals]
