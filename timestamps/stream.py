"""The newer part of the log, a stream in the truth Valkey, and the marks beside it: everything that touches their keys.

The stream is the log; beside it are an index of what is not in the database yet (``pending``), and two positions that
only rise: ``persisted``, through which the live table had everything, and ``trimmed``, through which the stream has
lost its entries to the archive. Below ``trimmed`` a range of the stream is silently empty, so the script that reads a
range looks at it first, and the script that trims sets it.

Each function is one command or script call, so it happens wholly or not at all.
"""

from functools import cache
from pathlib import Path
from typing import Any, cast

from redis.commands.core import Script

from common import valkey
from timestamps.types import START, Entry, Position


def read_after(position: Position, limit: int) -> list[Entry] | None:
    """The next entries after ``position``, at most ``limit``; None when the stream does not reach that far back.

    Raises: RedisError.
    """
    found = cast(list[Any] | None, run("read_after", str(position), limit))
    return None if found is None else [_entry(name, flat) for name, flat in found]


def persisted() -> Position:
    """Through which the live table had everything, once. Raises RedisError."""
    return _position(valkey.truth().get(prefix() + "persisted"))


def trimmed() -> Position:
    """Through which the stream has lost its entries to the archive. Raises RedisError."""
    return _position(valkey.truth().get(prefix() + "trimmed"))


def run(script: str, *arguments: Any) -> Any:
    """Call ``lua/<script>.lua`` with the stream's name, the prefix of the keys beside it, and ``arguments``."""
    return _script(script)(args=[stream_key(), prefix(), *arguments])


def stream_key() -> str:
    return valkey.key("timestamp.command.v1")


def prefix() -> str:
    return valkey.key("timestamps", "")


@cache
def _script(name: str) -> Script:
    text = (Path(__file__).parent / "lua" / f"{name}.lua").read_text(encoding="utf-8")
    return valkey.truth().register_script(text)


def _position(found: Any) -> Position:
    return Position.parse(found.decode()) if found else START


def _entry(name: bytes, flat: list[bytes]) -> Entry:
    texts = [part.decode(errors="surrogateescape") for part in flat]
    return Entry(Position.parse(name.decode()), dict(zip(texts[::2], texts[1::2], strict=True)))
