"""A read is exact at every moment of a flush: never less than was counted before it, and nothing twice."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from counters import buffer, flushing, selectors
from counters.errors import CounterNotFound
from counters.flushing import flush_counters
from counters.models import Counter, Flush
from counters.selectors import read_counters
from counters.services import increment_counters
from counters.types import MAX_VALUE, CounterValue, Submission
from tests.counters import (
    assert_all_is_flushed,
    committed,
    count,
    flush_as_far_as,
    key_of,
    of_one_shard,
    persisted,
    value_of,
    values,
    values_elsewhere,
    watched_steps,
)

pytestmark = committed


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flushing, "SLICE_KEYS", 3)


def test_value_is_persisted_and_pending() -> None:
    count({1: 5, 2: 1})
    assert (value_of(1).value, value_of(1).pending) == (5, 5)
    flush_counters()
    assert (value_of(1).value, value_of(1).pending) == (5, 0)
    count({1: 2})
    assert (value_of(1).value, value_of(1).pending) == (7, 2)


def test_answers_are_in_input_order_with_repeats_and_unknown_ones() -> None:
    count({1: 1, 2: 2})
    flush_counters()
    count({2: 3, 3: 3})
    found = read_counters([key_of(number) for number in (3, 9, 2, 1, 2, 9)])
    assert [one.value if isinstance(one, CounterValue) else None for one in found] == [3, None, 5, 1, 5, None]
    assert isinstance(found[1], CounterNotFound)
    assert read_counters([]) == []


def test_values_are_exact_beyond_machine_words() -> None:
    for _ in range(3):
        count({1: MAX_VALUE})
        flush_counters()
    count({1: MAX_VALUE})
    assert value_of(1).value == 4 * MAX_VALUE
    assert value_of(1).pending == MAX_VALUE


def test_read_is_one_statement_whatever_it_asks() -> None:
    count(dict.fromkeys(range(1_000), 1))
    for asked in (1, 1_000):
        with CaptureQueriesContext(connection) as statements:
            assert len(values(range(asked))) == asked
        assert len(statements) == 1


# While a flush goes on


def test_value_is_exact_at_every_step_of_a_flush() -> None:
    totals = dict.fromkeys(of_one_shard(7), 5)
    count(totals)
    steps: list[str] = []

    def read(name: str) -> None:
        steps.append(name)
        assert values_elsewhere(totals) == totals, name

    with watched_steps(read):
        flush_counters()
    assert steps.count("after _add_slice") == 3
    assert_all_is_flushed(totals)


def test_value_is_exact_while_increments_come_at_every_step_of_a_flush() -> None:
    totals = dict.fromkeys(of_one_shard(5), 1)
    count(totals)

    def count_and_read(name: str) -> None:
        count(dict.fromkeys(totals, 1))
        for number in totals:
            totals[number] += 1
        assert values_elsewhere(totals) == totals, name

    with watched_steps(count_and_read):
        flush_counters()
    flush_counters()
    assert_all_is_flushed(totals)


def test_value_is_exact_when_a_flush_died_between_commit_and_drop() -> None:
    (number,) = of_one_shard(1)
    count({number: 5})
    with watched_steps(die_at("before drop_segment")), pytest.raises(KeyboardInterrupt):
        flush_counters()
    assert persisted() == {number: 5}
    assert buffer.read_backlog().keys == 1
    count({number: 2})
    assert (value_of(number).value, value_of(number).pending) == (7, 2)


def die_at(step: str) -> Callable[[str], None]:
    def visit(name: str) -> None:
        if name == step:
            raise KeyboardInterrupt

    return visit


@contextmanager
def between_the_stores(work: Callable[[], object]) -> Iterator[None]:
    """Do ``work`` after the first store has answered a read and before the second is asked, whichever is first."""
    asked: list[str] = []

    def noted(name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            if len(asked) == 1:
                work()
            asked.append(name)
            return ask(*args)

        return run

    with pytest.MonkeyPatch.context() as patch:
        for name in ("pending_deltas", "_read_persisted"):
            patch.setattr(selectors, name, noted(name, getattr(selectors, name)))
        yield
    assert len(asked) == 2


def test_flush_between_the_two_stores_changes_nothing() -> None:
    totals = dict.fromkeys(of_one_shard(7), 5)
    count(totals)
    with between_the_stores(flush_counters):
        assert values(totals) == totals
    assert_all_is_flushed(totals)


@pytest.mark.parametrize("stop", range(0, 20, 2))
def test_part_of_a_flush_between_the_two_stores_changes_nothing(stop: int) -> None:
    totals = dict.fromkeys(of_one_shard(5), 5)
    count(totals)
    with between_the_stores(lambda: flush_as_far_as(stop)):
        assert values(totals) == totals


def test_value_holds_all_that_was_counted_before_the_read_and_no_more_than_after_it() -> None:
    (number,) = of_one_shard(1)
    count({number: 5})

    def go_on() -> None:
        for _ in range(3):
            count({number: 1})
            flush_counters()

    with between_the_stores(go_on):
        assert 5 <= value_of(number).value <= 8
    assert value_of(number).value == 8


def read_database_first(keys: list[UUID], between: Callable[[], object]) -> int:
    """The other order: sums and flushes from the database, then what the buffer has."""
    sums = selectors._read_persisted(keys, Flush.objects.values_list("pk", flat=True))
    between()
    now, pending = buffer.pending_deltas([key.bytes for key in keys])
    found = selectors._value(keys[0], pending[0], sums, now)
    return found.value if isinstance(found, CounterValue) else 0


def test_control_asking_the_database_first_loses_what_is_flushed_in_between() -> None:
    count({1: 5})
    assert read_database_first([key_of(1)], flush_counters) == 0
    assert value_of(1).value == 5


def test_control_without_the_flushes_a_value_is_counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    (number,) = of_one_shard(1)
    count({number: 5})
    with watched_steps(die_at("before drop_segment")), pytest.raises(KeyboardInterrupt):
        flush_counters()
    monkeypatch.setattr(selectors, "_is_persisted", lambda key, done_through: False)
    assert value_of(number).value == 10


def test_slices_and_keys_compare_alike_in_both_stores() -> None:
    """Bytes, not text and not signed numbers: keys on both sides of 0x80."""
    keys = [
        UUID(int=first << 120 | 8 * n + 8) for n, first in enumerate((0x00, 0x01, 0x7F, 0x80, 0x9F, 0xA0, 0xFE, 0xFF))
    ]
    assert {buffer._shard(key.bytes) for key in keys} == {0}
    increment_counters([Submission([(key.bytes, 1) for key in keys])])
    for stop in range(40):
        flush_as_far_as(stop)
        found = read_counters(keys)
        assert [one.value for one in found if isinstance(one, CounterValue)] == [1] * len(keys)
    assert Counter.objects.count() == len(keys)


# How old the database's part is


def test_as_of_is_now_when_the_database_has_everything() -> None:
    count({1: 1})
    flush_counters()
    assert abs(value_of(1).as_of - datetime.now(UTC)) < timedelta(seconds=1)


def test_as_of_is_the_first_delta_that_waits() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    count({1: 1})
    after = datetime.now(UTC)
    time.sleep(0.02)
    count({1: 1})
    buffer.seal_segments(1)
    count({1: 1})
    assert before <= value_of(1).as_of <= after
    flush_counters()
    assert value_of(1).as_of > after
    count({1: 1})
    assert value_of(1).as_of > after


def test_as_of_belongs_to_the_key_alone() -> None:
    count({1: 1})
    flush_counters()
    count({2: 1})
    time.sleep(0.02)
    assert value_of(1).as_of > value_of(2).as_of
