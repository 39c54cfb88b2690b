"""The newer part of the log, a stream in the truth Valkey, and the marks beside it: everything that touches their keys.

The stream is the log. Beside it are two positions that only rise: the high-water mark (key ``persisted``), through
which the live table had everything, and the low-water mark (key ``trimmed``), through which the stream has lost its
entries to the archive. Below that a range of the stream is silently empty, so whoever reads a range reads the mark in
the same moment, and the script that trims sets it.

A store that starts may be an empty one or an older copy, so its marks count only when it has recovered since
(``recovery.py``): the key ``life`` then has the ``run_id`` of its server, which no copy of it has in another process.

Each function is one command or script call, so it happens wholly or not at all.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from django.conf import settings
from redis import Redis
from redis.client import CaseInsensitiveDict
from redis.commands.core import Script
from redis.exceptions import TimeoutError as HeldUp

from common.stores import valkey
from common.stores.luafiles import load_lua
from timestamps.log.lines import Found, dump_found
from timestamps.types import START, Position, Submission

APPENDED, REPLAYED, REUSED, FULL, NO_MARKS, NOT_OPEN = b"A", b"R", b"X", b"F", b"M", b"N"
TAIL_ENTRIES = 20_000  # that are counted one by one: 60 ms
READ_ATTEMPTS = 4  # of half a second each
QUICK_ENTRIES = 1_000  # of one append: some 10 ms of an idle server, more than ten times that of a busy one


class Tail(NamedTuple):
    """The stream at one moment: low-water mark, entries, and how many of them come after a position, up to a limit."""

    low_water_mark: Position
    entries: int
    after: int


class State(NamedTuple):
    """What a store knows of itself.

    Attributes:
        is_open: it has recovered since it started.
        low_water_mark: None in one that is fresh or came back empty.
        last: no entry comes at or before it.
    """

    is_open: bool
    low_water_mark: Position | None
    last: Position


def append_submissions(submissions: Sequence[tuple[str, Submission]]) -> list[bytes]:
    """Append all that find room; one round trip.

    Args:    submissions: each with eight random hexadecimal digits for the ids of its entries.
    Returns: for each one of APPENDED, REPLAYED, REUSED, FULL, NO_MARKS and NOT_OPEN, after the first two with its first
        id.
    Raises:  RedisError: unknown whether anything was appended.
    """
    arguments: list[Any] = [
        settings.TIMESTAMPS_MAX_BACKLOG,
        settings.IDEMPOTENCY_TTL_SECONDS,
        settings.TIMESTAMPS_MAX_MARKS,
    ]
    for random, (event_timestamps, correlation_id, idempotency) in submissions:
        arguments += (*(idempotency or (b"", b"")), random, correlation_id, ",".join(event_timestamps))
    entries = sum(len(submission.event_timestamps) for _, submission in submissions)
    store = valkey.patient_truth() if entries > QUICK_ENTRIES else valkey.truth()
    return cast(list[bytes], run("append", *arguments, store=store))


def find_waiting(positions: Sequence[Position]) -> tuple[Position, list[dict[str, str] | None]]:
    """The high-water mark, and the fields of the entry at each position after it, in order and of one moment.

    Raises: RedisError.
    """
    high_mark, found = cast(tuple[bytes, list[list[bytes] | None]], run("find", *map(str, positions)))
    return Position.parse(high_mark.decode()), [_fields(entry) if entry else None for entry in found]


def read_after(position: Position, limit: int) -> list[bytes] | None:
    """Lines of the next entries after ``position``, at most ``limit``; None when the stream does not reach so far back.

    None too in a store that is not open: nobody knows how far it reaches. Raises RedisError.
    """
    low_mark, found = _read_patiently(position, limit)
    return None if low_mark is None or position < _position(low_mark) else dump_found(found)


def await_entry(position: Position, seconds: float) -> bool:
    """Whether there is an entry after ``position``, or comes within ``seconds``, less than the client's timeout.

    Raises: RedisError.
    """
    return bool(valkey.truth().xread({stream_key(): str(position)}, count=1, block=round(1_000 * seconds)))


def high_water_mark() -> Position:
    """Through which the live table had everything, once. Raises RedisError."""
    return _position(valkey.truth().get(prefix() + "persisted"))


def raise_high_water_mark(through: Position) -> None:
    """Does nothing where the mark is there already. Raises RedisError."""
    run("persist", str(through))


def low_water_mark() -> Position:
    """Through which the stream has lost its entries to the archive. Raises RedisError."""
    return _position(valkey.truth().get(prefix() + "trimmed"))


def trim(through: Position) -> None:
    """Remove the entries up to a position, which the archive has, and raise the low-water mark. Raises RedisError.

    Does nothing in a store that is not open.
    """
    run("trim", str(through), str(through.after()))


def state() -> State:
    """Raises RedisError."""
    is_open, low_mark, last = cast(tuple[int, bytes, bytes], run("state"))
    return State(bool(is_open), _position(low_mark) if low_mark else None, _position(last))


def recover(archived: Position, projected: Position) -> bool:
    """Let a store that has started be the log again; whether it was not open. Raises RedisError.

    Args:
        archived: where the archive ends. What the store lacks of it, readers take from there.
        projected: through which the live table has everything. What is appended comes after both.
    """
    return bool(run("recover", str(archived), str(archived.after()), str(max(archived, projected))))


def oldest_after(position: Position) -> Position | None:
    """Of the first entry that the stream has after ``position``. Raises RedisError."""
    found = cast(list[Any], valkey.truth().xrange(stream_key(), min=f"({position}", count=1))
    return Position.parse(found[0][0].decode()) if found else None


def length() -> int:
    """How many entries the stream has. Raises RedisError."""
    return int(valkey.truth().xlen(stream_key()))


def tail(position: Position, limit: int = TAIL_ENTRIES) -> Tail:
    """Raises RedisError."""
    with valkey.truth().pipeline(transaction=True) as pipeline:
        pipeline.get(prefix() + "trimmed")
        pipeline.xlen(stream_key())
        pipeline.xrange(stream_key(), min=f"({position}", count=limit)
        low_mark, entries, after = pipeline.execute()
    return Tail(_position(low_mark), int(entries), len(after))


def run(script: str, *arguments: Any, store: Redis | None = None) -> Any:
    """Call ``lua/<script>.lua`` with the stream's name, the prefix of the keys beside it, and ``arguments``."""
    return _script(script)(args=[stream_key(), prefix(), *arguments], client=store)


def _read_patiently(position: Position, limit: int) -> tuple[bytes | None, Found]:
    """Bulk appends and the fork of an AOF rewrite hold the store up for longer than a call may take, and an archiver
    that starts a segment anew each time falls behind just when there is most to archive."""
    for _ in range(READ_ATTEMPTS - 1):
        with suppress(HeldUp):
            return _read(position, limit)
    return _read(position, limit)


def _read(position: Position, limit: int) -> tuple[bytes | None, Found]:
    """The low-water mark, if the store is open, and a range, of one moment.

    Not a script: the range would take six times as long in one. Answers are taken as they come: a dict for each entry
    would cost as much as the rest of it.
    """
    with valkey.truth().pipeline(transaction=True) as pipeline:
        pipeline.response_callbacks = CaseInsensitiveDict({})
        pipeline.info("server")
        pipeline.mget(prefix() + "life", prefix() + "trimmed")
        pipeline.xrange(stream_key(), min=f"({position}", count=limit)
        server, (life, low_mark), found = pipeline.execute()
    return low_mark if life and b"run_id:%b\r\n" % life in server else None, found


def stream_key() -> str:
    return valkey.key("timestamp.command.v1")


def prefix() -> str:
    return valkey.key("timestamps", "")


@cache
def _script(name: str) -> Script:
    return valkey.truth().register_script(load_lua(Path(__file__).parent / "lua" / f"{name}.lua"))


def _position(found: Any) -> Position:
    return Position.parse(found.decode()) if found else START


def _fields(entry: list[bytes]) -> dict[str, str]:
    texts = [part.decode(errors="replace") for part in entry]
    return dict(zip(texts[::2], texts[1::2], strict=True))
