"""What tests about counters share: known keys, counting, everything that both stores hold, and ways to die."""

from collections import Counter as Sums
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast
from uuid import UUID

import pytest
from django.db import connections
from django.db.models import Sum

from common.idempotency import IdempotencyRecord, Replayed
from common.stores import valkey
from common.stores.guarded import CACHE, TRUTH, WRITE_STORE
from counters import buffer, flushing
from counters.errors import CounterNotFound
from counters.flushing import flush_counters
from counters.models import Counter, Flush, FlushTotals
from counters.selectors import read_counters
from counters.services import Outcome, increment_counters
from counters.types import Counted, CounterValue, Submission

committed = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty_counter_stores")]

Totals = Mapping[int, int]
Result = TypeVar("Result")


class Stop(BaseException):
    """Ends a flush as a signal would, past every ``except Exception``."""


def key_of(number: int) -> UUID:
    """Spread over the whole range, in another order than the numbers."""
    return UUID(int=(number * 7919 % 65_536) << 112 | 1 << 64 | number)


def number_of(key: UUID) -> int:
    return key.int & 2**32 - 1


def shard_of(number: int) -> int:
    return buffer._shard(key_of(number).bytes)


def of_one_shard(count: int, shard: int = 0) -> list[int]:
    """The first numbers whose keys are in ``shard``."""
    found = (number for number in range(100 * count) if shard_of(number) == shard)
    return [next(found) for _ in range(count)]


def record_of(name: str, content: str = "") -> IdempotencyRecord:
    return IdempotencyRecord(name.encode().ljust(16, b"."), content.encode().ljust(16, b"."))


def submission(*pairs: tuple[int, int], idempotency: IdempotencyRecord | None = None) -> Submission:
    return Submission([(key_of(number).bytes, value) for number, value in pairs], idempotency)


def submit(*pairs: tuple[int, int], idempotency: IdempotencyRecord | None = None) -> Outcome:
    return increment_counters([submission(*pairs, idempotency=idempotency)])[0]


def count(totals: Totals) -> None:
    """Add these; each must find room."""
    assert submit(*totals.items()) == Counted(b"1" * len(totals))


def added(outcome: Outcome) -> str:
    """Its outcomes by item; the caller knows whether it was replayed."""
    counted = outcome.result if isinstance(outcome, Replayed) else outcome
    assert isinstance(counted, Counted), counted
    return counted.outcomes.decode()


def persisted() -> dict[int, int]:
    """The whole table."""
    return {number_of(key): int(value) for key, value in Counter.objects.values_list("key", "value")}


def pending() -> dict[int, int]:
    """The whole buffer, over all segments."""
    sums: Sums[int] = Sums()
    for name in valkey.truth().keys(valkey.key("counters", "pending:*")):
        for key, delta in valkey.truth().hgetall(name).items():
            if key != buffer.SINCE:
                sums[number_of(UUID(bytes=cast(bytes, key)))] += int(delta)
    return dict(sums)


def segments(shard: int) -> list[UUID]:
    """Oldest first; the last one is open."""
    names = valkey.truth().lrange(valkey.key("counters", f"generations:{shard}"), 0, -1)
    return [UUID(name.decode()) for name in cast(list[bytes], names)]


def value_of(number: int) -> CounterValue:
    found = read_counters([key_of(number)])[0]
    assert isinstance(found, CounterValue), found
    return found


def values(numbers: Iterable[int]) -> dict[int, int]:
    """What readers get for each of these; 0 for one that nobody has incremented."""
    asked = list(numbers)
    answers = zip(asked, read_counters([key_of(number) for number in asked]), strict=True)
    return {number: 0 if isinstance(one, CounterNotFound) else one.value for number, one in answers}


def values_elsewhere(numbers: Iterable[int]) -> dict[int, int]:
    """The same over another connection, which sees only what is committed."""
    return side_by_side(lambda: values(numbers))[0]


def flush_elsewhere() -> int:
    return side_by_side(flush_counters)[0]


def side_by_side(*works: Callable[[], Result]) -> list[Result]:
    """Run each on a thread of its own; raises what one raises."""

    def on_own_connections(work: Callable[[], Result]) -> Result:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result(120) for done in [pool.submit(on_own_connections, work) for work in works]]


# A flush, step by step

_STEPS: tuple[tuple[Any, str], ...] = (
    (flushing, "closed_segments"),
    (flushing, "seal_segments"),
    (flushing, "read_segment"),
    (flushing, "_add_slice"),  # its end is the commit
    (flushing, "lock_flush"),
    (flushing, "_add"),
    (flushing, "_finish"),
    (Flush, "save"),
    (flushing, "drop_segment"),
)


@contextmanager
def watched_steps(visit: Callable[[str], None]) -> Iterator[None]:
    """Until the block ends, every flush calls ``visit`` before and after each of its steps, on its own thread."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in _STEPS:
            patch.setattr(owner, name, _watched(getattr(owner, name), name, visit))
        yield


def _watched(step: Callable[..., Any], name: str, visit: Callable[[str], None]) -> Callable[..., Any]:
    @wraps(step)
    def run(*args: Any, **kwargs: Any) -> Any:
        visit(f"before {name}")
        result = step(*args, **kwargs)
        visit(f"after {name}")
        return result

    return run


def flush_as_far_as(stop: int) -> str:
    """Flush, and die at the step of this number; answers the step's name, or nothing when there is none any more."""
    steps: list[str] = []

    def die(name: str) -> None:
        if name.startswith("after") or name == "before _add_slice":  # the others leave nothing else behind
            steps.append(name)
        if len(steps) > stop:
            raise Stop

    try:
        with watched_steps(die):
            flush_counters()
    except Stop:
        return steps[-1]
    return ""


def assert_all_is_flushed(totals: Totals) -> None:
    """Whole tables: exactly these totals, every flush finished, nothing left in the buffer."""
    assert persisted() == dict(totals)
    assert pending() == {}
    assert not Flush.objects.filter(finished_at=None).exists()
    flushed = FlushTotals.objects.aggregate(flushes=Sum("flushes"), rows=Sum("rows"))
    assert (flushed["flushes"], flushed["rows"]) == (
        Flush.objects.count(),
        sum(Flush.objects.values_list("keys", flat=True)),
    )


def forget_everything() -> None:
    """What outlives a test: the buffer and open circuits."""
    valkey.truth().flushdb()
    valkey.cache_store().flushdb()
    CACHE.is_open = TRUTH.is_open = WRITE_STORE.is_open = False
