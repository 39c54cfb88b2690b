"""Makes realistic promotion files, the same for the same seed: for ``make demo``, tests and benchmarks."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_BATCH = 50_000
_ZONES = ("+0200 CEST", "+0100 CET", "+0000 UTC", "-0400 EDT")
_DAYS = [str(datetime.date(2018, 1, 1) + datetime.timedelta(days=day)) for day in range(4_000)]
_TIMES = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(86_400)]
_BAD_LINES = (
    "not-a-uuid,1.50,2018-08-04 05:32:31 +0200 CEST\n",
    "{id},-3.25,2018-08-04 05:32:31 +0200 CEST\n",
    "{id},twelve,2018-08-04 05:32:31 +0200 CEST\n",
    "{id},12.50,2018-02-30 05:32:31 +0100 CET\n",
    "{id},12.50\n",
    '"{id},12.50,2018-08-04 05:32:31 +0200 CEST\n',
)


def write_sample(path: Path, rows: int, *, seed: int = 1, bad_share: float = 0.001, duplicates: int = 0) -> None:
    """Write ``rows`` lines: a share of bad ones, and about ``duplicates`` times an id of the first lines again."""
    with path.open("w", encoding="ascii", newline="") as file:
        for lines in sample_batches(rows, seed=seed, bad_share=bad_share, duplicates=duplicates):
            file.writelines(lines)


def sample_batches(rows: int, *, seed: int, bad_share: float, duplicates: int) -> Iterator[list[str]]:
    """The file's lines in batches of up to 50,000; a line takes about a microsecond."""
    rng = np.random.default_rng(seed)
    first_ids: list[str] = []
    for start in range(0, rows, _BATCH):
        count = min(_BATCH, rows - start)
        ids = _uuids(rng, count)
        repeats = np.flatnonzero(rng.random(count) < duplicates / rows) if first_ids else ()
        for index in repeats:
            ids[index] = first_ids[int(rng.integers(len(first_ids)))]
        first_ids = first_ids or ids.copy()
        lines = _lines(rng, ids)
        for index in np.flatnonzero(rng.random(count) < bad_share):
            lines[index] = _BAD_LINES[int(rng.integers(len(_BAD_LINES)))].format(id=ids[index])
        yield lines


def _lines(rng: np.random.Generator, ids: list[str]) -> list[str]:
    prices = rng.integers(1, 100_000_000, len(ids)).tolist()
    days = rng.integers(len(_DAYS), size=len(ids)).tolist()
    seconds = rng.integers(len(_TIMES), size=len(ids)).tolist()
    return [
        f"{row_id},{price // 1_000_000}.{price % 1_000_000:06},{_DAYS[day]} {_TIMES[second]} {_ZONES[price & 3]}\n"
        for row_id, price, day, second in zip(ids, prices, days, seconds, strict=True)
    ]


def _uuids(rng: np.random.Generator, count: int) -> list[str]:
    text = rng.bytes(16 * count).hex()
    digits = (text[start : start + 32] for start in range(0, len(text), 32))
    return [f"{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:]}" for d in digits]
