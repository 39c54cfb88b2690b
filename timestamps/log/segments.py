"""How the archive looks inside: segments of consecutive entries, and manifests that chain them.

A segment is NDJSON, compressed with zstd: the lines of its entries (``lines.py``) in the log's order. Its manifest is
JSON and holds its SHA-256 and the SHA-256 of the manifest before it, so nothing in the chain can change, go or come
without the next one showing it.
"""

import hashlib
import json
from typing import NamedTuple

import zstandard

from timestamps.types import START, Position

LEVEL = 3  # 100,000 entries: 22 MB of lines are 4 MB; most of it is random ids, which no level makes smaller
CHAIN_START = "0" * 64


class Manifest(NamedTuple):
    """What is known of a segment.

    Attributes:
        number: from 1 on, without a gap.
        segment: name of its file, which holds part of its hash: other content is another file. Empty where an operator
            has accepted that it is lost (``losses.py``); ``entries`` then are what it had, as far as is known.
        first, last: positions of its first and last entry.
        entries: in it.
        total_entries: in it and all before it.
        size: of its file in bytes.
        total_size: of all files up to it.
        sha256: of its file.
        previous_sha256: of the manifest before it, as stored; CHAIN_START for the first.
    """

    number: int
    segment: str
    first: Position
    last: Position
    entries: int
    total_entries: int
    size: int
    total_size: int
    sha256: str
    previous_sha256: str

    @property
    def is_lost(self) -> bool:
        return not self.segment and self.number > 0

    def dump(self) -> bytes:
        """As it is stored."""
        named = self._asdict() | {"first": str(self.first), "last": str(self.last)}
        return json.dumps(named, indent=1).encode() + b"\n"


# Stands before the first segment.
NO_MANIFEST = Manifest(0, "", START, START, 0, 0, 0, 0, "", "")


def load_manifest(text: bytes) -> Manifest:
    """Raises ValueError: these bytes are no manifest."""
    try:
        named = json.loads(text)
        positions = {name: Position.parse(named[name]) for name in ("first", "last")}
        return Manifest(**named | positions)
    except (TypeError, KeyError, AttributeError) as exc:
        raise ValueError(str(exc)) from exc


def manifest_name(number: int) -> str:
    return f"{number:012d}.json"


def loss_name(number: int) -> str:
    """Of the file that keeps the manifest of a segment which is accepted as lost, if there was one."""
    return f"{number:012d}.lost"


def segment_name(number: int, sha256: str) -> str:
    return f"{number:012d}-{sha256[:16]}.ndjson.zst"


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pack(lines: list[bytes]) -> bytes:
    """The content of a segment."""
    return zstandard.ZstdCompressor(level=LEVEL).compress(b"\n".join([*lines, b""]))


def unpack(content: bytes) -> list[bytes]:
    """The lines of a segment. Raises zstandard.ZstdError."""
    return zstandard.ZstdDecompressor().decompressobj().decompress(content).splitlines()
