"""Makes realistic promotion files, the same for the same seed: for ``make demo``, tests and benchmarks."""

import random
from collections.abc import Iterator
from pathlib import Path

_BATCH = 10_000
_ZONES = ("+0200 CEST", "+0100 CET", "+0000 UTC", "-0400 EDT")
_BAD_LINES = (
    "not-a-uuid,1.50,2018-08-04 05:32:31 +0200 CEST",
    "{id},-3.25,2018-08-04 05:32:31 +0200 CEST",
    "{id},twelve,2018-08-04 05:32:31 +0200 CEST",
    "{id},12.50,2018-02-30 05:32:31 +0100 CET",
    "{id},12.50",
    '"{id}",12.50,2018-08-04 05:32:31 +0200 CEST',
)


def write_sample(path: Path, rows: int, *, seed: int = 1, bad_share: float = 0.001, duplicates: int = 0) -> None:
    """Write ``rows`` lines: a share of bad ones, and ``duplicates`` times an id that occurred before."""
    with path.open("w", encoding="ascii", newline="") as file:
        for lines in sample_lines(rows, seed=seed, bad_share=bad_share, duplicates=duplicates):
            file.write(lines)


def sample_lines(rows: int, *, seed: int, bad_share: float, duplicates: int) -> Iterator[str]:
    """The file's text in pieces of up to 10,000 lines."""
    rng = random.Random(seed)
    first_ids = [_uuid(rng) for _ in range(min(_BATCH, rows))]
    repeat_every = rows // duplicates if duplicates else 0
    for start in range(0, rows, _BATCH):
        numbers = range(start, min(rows, start + _BATCH))
        yield "".join([_line(rng, number, first_ids, bad_share, repeat_every) for number in numbers])


def _line(rng: random.Random, number: int, first_ids: list[str], bad_share: float, repeat_every: int) -> str:
    row_id = first_ids[number] if number < len(first_ids) else _uuid(rng)
    if repeat_every and number >= len(first_ids) and number % repeat_every == 0:
        row_id = first_ids[number // repeat_every % len(first_ids)]
    elif bad_share and rng.random() < bad_share:
        return rng.choice(_BAD_LINES).format(id=row_id) + "\n"
    price = rng.randrange(1, 100_000_000) / 1_000_000
    return f"{row_id},{price:.6f},{_instant(rng)} {_ZONES[number % len(_ZONES)]}\n"


def _uuid(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _instant(rng: random.Random) -> str:
    bits = rng.getrandbits(40)
    day, second = 1 + bits % 28, (bits >> 8) % 86_400
    hour, minute = second // 3600, second // 60 % 60
    return f"20{18 + (bits >> 28) % 9:02}-{1 + (bits >> 32) % 12:02}-{day:02} {hour:02}:{minute:02}:{second % 60:02}"
