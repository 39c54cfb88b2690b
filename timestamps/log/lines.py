"""An entry as a line of JSON, as it is archived and handed around: ``{"position":"<ms>-<seq>","fields":{...}}``.

All but ASCII is escaped, lone surrogates too, so every byte of an entry comes back. Thousands of entries go through
here at once, and a line is one object, which the garbage collector does not go through.
"""

import json
from itertools import chain

from timestamps.types import Entry, Position

Found = list[tuple[bytes, list[bytes]]]  # what a stream answers: for each entry its id, and names and values in turns

NAMES = [b"command_id", b"event_timestamp", b"correlation_id"]
_LINE = b'{"position":"%b","fields":{"command_id":"%b","event_timestamp":"%b","correlation_id":"%b"}}'
_UNESCAPED = bytes({*range(0x20, 0x7F)} - {*b'"\\'})  # what JSON has as it is
_to_json = json.JSONEncoder(separators=(",", ":")).encode


def dump_entry(entry: Entry) -> bytes:
    return _to_json({"position": str(entry.position), "fields": entry.fields}).encode()


def load_entry(line: bytes) -> Entry:
    """Raises ValueError, KeyError: it is no such line."""
    named = json.loads(line)
    return Entry(Position.parse(named["position"]), named["fields"])


def line_position(line: bytes) -> Position:
    return load_entry(line).position


def dump_found(found: Found) -> list[bytes]:
    """The lines of what a stream answered."""
    if _is_plain(found):
        return [_LINE % (name, fields[1], fields[3], fields[5]) for name, fields in found]
    return [dump_entry(_entry(name, fields)) for name, fields in found]


def _is_plain(found: Found) -> bool:
    """Whether all have the same names, and nothing that JSON escapes."""
    if not all(fields[::2] == NAMES for _, fields in found):
        return False
    return not b"".join(chain.from_iterable(fields for _, fields in found)).translate(None, _UNESCAPED)


def _entry(name: bytes, fields: list[bytes]) -> Entry:
    texts = [part.decode("utf-8", "surrogateescape") for part in fields]
    return Entry(Position.parse(name.decode()), dict(zip(texts[::2], texts[1::2], strict=True)))
