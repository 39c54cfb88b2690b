"""The flush of counters, broken in two ways."""

import time
from bisect import bisect_right
from uuid import UUID

from django.conf import settings

from counters import flushing
from counters.buffer import drop_segment, read_segment
from tests.chaos.sabotage import WINDOW_FILE

WINDOW_SECONDS = 10.0  # the kill comes much earlier
WINDOW_KEYS = 40  # of the about 250 that a shard has: enough for some with and some without Idempotency-Key

_Deltas = list[tuple[bytes, int]]


def take_away_first() -> None:
    """Drop a segment before it is written: who dies in between loses it."""

    def flush_segment(shard: int, segment: UUID) -> int:
        deltas = read_segment(segment)
        drop_segment(shard, segment)
        if len(deltas) > WINDOW_KEYS:
            _open_window()
        flushing._add(deltas)
        return len(deltas)

    flushing._flush_segment = flush_segment


def resume_at_the_start() -> None:
    """Know how far a flush is only from one's own memory: who takes over counts the first slices twice."""
    flushing.SLICE_KEYS = WINDOW_KEYS  # so that there is a moment between two slices
    mine: list[_Deltas] = []

    def position_after(deltas: _Deltas, done_through: UUID | None) -> int:
        if not any(deltas is known for known in mine):
            mine[:] = [deltas]
            return 0
        _open_window()
        assert done_through is not None
        return bisect_right(deltas, done_through.bytes, key=lambda delta: delta[0])

    flushing._position_after = position_after


def _open_window() -> None:
    """Once per run: leave the file, and wait to be killed."""
    path = settings.DATA_DIR / WINDOW_FILE
    if not path.exists():
        path.touch()
        time.sleep(WINDOW_SECONDS)
