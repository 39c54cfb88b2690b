"""Counting into the buffer: rooms, limits, segments, and requests that come again."""

from collections.abc import Sequence
from typing import cast

import pytest
from prometheus_client import REGISTRY
from pytest_django import Settings

from common.idempotency import IdempotencyKeyReused, IdempotencyRecord, Replayed
from common.stores import valkey
from counters import buffer
from counters.buffer import add_submissions
from counters.errors import BacklogFull, TooManyMarks
from counters.flushing import flush_counters
from counters.services import increment_counters
from counters.types import MAX_VALUE, Counted, Submission
from tests.counters import (
    added,
    assert_all_is_flushed,
    committed,
    count,
    of_one_shard,
    pending,
    persisted,
    record_of,
    segments,
    shard_of,
    submission,
    submit,
    value_of,
)

pytestmark = committed


def test_increments_add_up_per_key_in_input_order() -> None:
    outcomes = increment_counters([submission((1, 2), (2, 5), (1, 3)), submission((3, 1)), submission((1, 10))])
    assert outcomes == [Counted(b"111"), Counted(b"1"), Counted(b"1")]
    assert pending() == {1: 15, 2: 5, 3: 1}


def test_nothing_is_nothing() -> None:
    assert increment_counters([]) == []
    assert pending() == {}


def test_submissions_beyond_one_call_are_answered_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("counters.services.CALL_INCREMENTS", 3)
    sizes = [2, 2, 3, 4, 1, 1, 1]
    outcomes = increment_counters([submission(*[(7, 1)] * size) for size in sizes])
    assert outcomes == [Counted(b"1" * size) for size in sizes]
    assert pending() == {7: sum(sizes)}


# Rooms


def test_delta_without_room_is_refused_alone_and_fits_after_a_flush() -> None:
    count({1: MAX_VALUE})
    assert submit((2, 1), (1, 1), (3, MAX_VALUE), (1, MAX_VALUE)) == Counted(b"1010")
    assert pending() == {1: MAX_VALUE, 2: 1, 3: MAX_VALUE}
    flush_counters()
    assert submit((1, MAX_VALUE), (1, 1)) == Counted(b"10")
    flush_counters()
    assert_all_is_flushed({1: 2 * MAX_VALUE, 2: 1, 3: MAX_VALUE})


def test_room_is_decided_to_the_last_unit() -> None:
    """Doubles cannot tell these apart."""
    count({1: MAX_VALUE - 3, 2: MAX_VALUE - 3})
    assert submit((1, 4), (2, 3)) == Counted(b"01")
    assert submit((1, 3), (2, 1)) == Counted(b"10")
    assert pending() == {1: MAX_VALUE, 2: MAX_VALUE}


def test_increments_of_one_batch_to_one_key_are_added_together_or_refused_together() -> None:
    count({1: MAX_VALUE - 3})
    batch = [submission((1, 2), (2, 1)), submission((1, 2)), submission((1, 1), idempotency=record_of("marked"))]
    assert increment_counters(batch) == [Counted(b"01"), Counted(b"0"), Counted(b"1")]
    assert pending() == {1: MAX_VALUE - 2, 2: 1}


def test_popular_key_costs_the_buffer_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []

    def add(submissions: Sequence[Submission]) -> list[bytes]:
        sent.extend(len(item.increments) for item in submissions)
        return add_submissions(submissions)

    monkeypatch.setattr("counters.folding.add_submissions", add)
    assert increment_counters([submission((1, 1), (2, 1))] * 50) == [Counted(b"11")] * 50
    assert (sent, pending()) == ([2], {1: 50, 2: 50})


def test_totals_have_no_end() -> None:
    for _ in range(4):
        count({1: MAX_VALUE})
        flush_counters()
    count({1: 5})
    assert value_of(1).value == 4 * MAX_VALUE + 5
    flush_counters()
    assert persisted() == {1: 4 * MAX_VALUE + 5}


# Backlog


def test_full_backlog_refuses_and_goes_on_after_a_flush(settings: Settings) -> None:
    settings.COUNTERS_MAX_PENDING_KEYS = 3
    count({1: 1, 2: 1, 3: 1})
    first, second = increment_counters([submission((1, 1)), submission((4, 1), idempotency=record_of("a"))])
    assert isinstance(first, BacklogFull)
    assert isinstance(second, BacklogFull)
    assert pending() == {1: 1, 2: 1, 3: 1}
    flush_counters()
    assert submit((4, 1), idempotency=record_of("a")) == Counted(b"1")
    assert pending() == {4: 1}


def test_full_backlog_still_answers_repeats(settings: Settings) -> None:
    count({3: MAX_VALUE})
    first = submit((1, 1), (2, 1), idempotency=record_of("whole"))
    partly = submit((2, 1), (3, 1), idempotency=record_of("partly"))
    settings.COUNTERS_MAX_PENDING_KEYS = 3
    before = pending()
    assert submit((1, 1), (2, 1), idempotency=record_of("whole")) == Replayed(first)
    assert submit((2, 1), (3, 1), idempotency=record_of("partly")) == Replayed(partly)
    assert isinstance(submit((1, 1), idempotency=record_of("whole", "other")), IdempotencyKeyReused)
    assert pending() == before


def test_backlog_counts_closed_segments_too(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "SEGMENT_KEYS", 2)
    settings.COUNTERS_MAX_PENDING_KEYS = 5
    for number in of_one_shard(5):
        count({number: 1})
    assert isinstance(submit((1, 1)), BacklogFull)
    assert buffer.read_backlog().keys == 5


# Requests that come again


def test_repeat_in_the_same_batch_counts_once() -> None:
    twice = [submission((1, 1), idempotency=record_of("a"))] * 2
    assert increment_counters(twice) == [Counted(b"1"), Replayed(Counted(b"1"))]
    assert pending() == {1: 1}


def test_repeat_after_a_flush_counts_once() -> None:
    assert submit((1, 1), idempotency=record_of("a")) == Counted(b"1")
    flush_counters()
    assert submit((1, 1), idempotency=record_of("a")) == Replayed(Counted(b"1"))
    assert submit((1, 1), idempotency=record_of("b")) == Counted(b"1")
    assert pending() == {1: 1}


def test_other_content_under_the_same_key_does_nothing() -> None:
    same = [submission((1, 1), idempotency=record_of("a")), submission((1, 2), idempotency=record_of("a", "other"))]
    first, second = increment_counters(same)
    assert first == Counted(b"1")
    assert isinstance(second, IdempotencyKeyReused)
    assert pending() == {1: 1}


def test_repeat_of_a_partly_refused_submission_adds_only_what_is_missing() -> None:
    count({2: MAX_VALUE})
    pairs = [(1, 1), (2, 1), (3, 1)]
    assert submit(*pairs, idempotency=record_of("a")) == Counted(b"101")
    assert submit(*pairs, idempotency=record_of("a")) == Replayed(Counted(b"101"))
    flush_counters()
    assert added(submit(*pairs, idempotency=record_of("a"))) == "111"
    assert added(submit(*pairs, idempotency=record_of("a"))) == "111"
    assert pending() == {2: 1}


def test_wholly_refused_submission_leaves_no_record() -> None:
    count({1: MAX_VALUE})
    assert submit((1, 1), idempotency=record_of("a")) == Counted(b"0")
    assert valkey.truth().keys("*marks*") == []
    flush_counters()
    assert submit((1, 2), idempotency=record_of("a", "other")) == Counted(b"1")


def test_marks_may_hold_any_bytes() -> None:
    for number, byte in enumerate((b"\0", b"0", b"1", b"\xff", b"\r")):
        record = IdempotencyRecord(byte * 16, byte * 16)
        assert submit((number, 1), idempotency=record) == Counted(b"1")
        assert submit((number, 1), idempotency=record) == Replayed(Counted(b"1"))
    assert pending() == dict.fromkeys(range(5), 1)


def age_marks(buckets: int) -> None:
    """As if ``buckets`` times IDEMPOTENCY_TTL_SECONDS went by."""
    for name in sorted(cast(list[bytes], valkey.truth().keys("*marks*"))):
        head, _, bucket = name.decode().rpartition(":")
        valkey.truth().rename(name, f"{head}:{int(bucket) - buckets}")


def test_repeat_is_known_across_the_boundary_of_two_buckets() -> None:
    count({2: MAX_VALUE})
    assert submit((1, 1), (2, 1), idempotency=record_of("a")) == Counted(b"10")
    flush_counters()
    age_marks(1)
    assert added(submit((1, 1), (2, 1), idempotency=record_of("a"))) == "11"
    assert pending() == {2: 1}
    age_marks(1)  # the older one is out of reach, the newer one is not
    assert submit((1, 1), (2, 1), idempotency=record_of("a")) == Replayed(Counted(b"11"))
    assert pending() == {2: 1}


def test_record_is_forgotten_after_two_buckets() -> None:
    submit((1, 1), idempotency=record_of("a"))
    age_marks(2)
    assert submit((1, 1), idempotency=record_of("a")) == Counted(b"1")


def test_only_marks_expire(settings: Settings) -> None:
    settings.IDEMPOTENCY_TTL_SECONDS = 3_600
    submit((1, 1), (2, 1), idempotency=record_of("a"))
    buffer.seal_segments(shard_of(1))
    lives = {name: valkey.truth().ttl(name) for name in cast(list[bytes], valkey.truth().keys("*"))}
    (records,) = (name for name in lives if b"marks" in name)
    assert lives.pop(records) == pytest.approx(7_200, abs=2)
    assert (len(lives), set(lives.values())) == (4, {-1})


# Segments


def test_segment_rolls_over_when_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "SEGMENT_KEYS", 3)
    numbers = of_one_shard(8)
    for number in numbers:
        count({number: 1})
    assert [len(buffer.read_segment(segment)) for segment in segments(0)] == [3, 3, 2]
    count(dict.fromkeys(numbers, 1))
    assert flush_counters() == 8 + len(numbers) - 2
    assert_all_is_flushed(dict.fromkeys(numbers, 2))


def test_closed_segment_takes_no_more() -> None:
    (number,) = of_one_shard(1)
    count({number: 1})
    (closed,) = buffer.seal_segments(0)
    count({number: 5})
    assert [delta for _, delta in buffer.read_segment(closed)] == [1]
    assert [len(segments(0)), pending()] == [2, {number: 6}]


def test_empty_shard_gets_no_segment() -> None:
    assert buffer.seal_segments(0) == []
    count({of_one_shard(1)[0]: 1})
    assert [len(buffer.seal_segments(0)) for _ in range(5)] == [1] * 5
    assert len(segments(0)) == 2


def test_segment_is_dropped_alone() -> None:
    (number,) = of_one_shard(1)
    for _ in range(3):
        count({number: 1})
        closed = buffer.seal_segments(0)
    buffer.drop_segment(0, closed[1])
    assert segments(0)[:2] == [closed[0], closed[2]]
    assert buffer.read_segment(closed[1]) == []
    assert pending() == {number: 2}


# Metrics


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"floodgate_increments_{name}_total", labels) or 0.0


def test_what_is_added_and_refused_is_counted(settings: Settings) -> None:
    reasons = ("counter-full", "backlog-full", "idempotency-key-reused")

    def now() -> list[float]:
        return [sample("accepted"), *(sample("refused", reason=reason) for reason in reasons)]

    before = now()
    count({1: MAX_VALUE})
    submit((1, 1), (2, 1), idempotency=record_of("a"))
    submit((1, 2), (2, 1), idempotency=record_of("a", "other"))
    settings.COUNTERS_MAX_PENDING_KEYS = 2
    submit((3, 1), (4, 1))
    assert [after - then for after, then in zip(now(), before, strict=True)] == [2, 1, 1, 1]


def test_repeats_are_not_counted_as_accepted_again() -> None:
    before = sample("accepted")
    for _ in range(3):
        submit((1, 1), (2, 1), idempotency=record_of("a"))
    assert sample("accepted") - before == 2


def test_what_a_repeat_adds_is_counted_as_accepted() -> None:
    before = sample("accepted")
    count({1: MAX_VALUE})
    submit((1, 1), (2, 1), idempotency=record_of("a"))
    flush_counters()
    submit((1, 1), (2, 1), idempotency=record_of("a"))
    assert sample("accepted") - before == 3


def test_beyond_its_limit_marks_are_refused_and_all_else_goes_on(settings: Settings) -> None:
    settings.COUNTERS_MAX_MARKS = 1
    assert submit((1, 1), idempotency=record_of("a")) == Counted(b"1")
    assert isinstance(submit((1, 1), idempotency=record_of("b")), TooManyMarks)
    assert submit((1, 1), idempotency=record_of("a")) == Replayed(Counted(b"1"))
    assert submit((1, 1)) == Counted(b"1")
    assert pending() == {1: 2}
    assert buffer.read_backlog().idempotency_records == 1


def test_record_is_known_after_the_clock_was_set_back() -> None:
    submit((1, 1), idempotency=record_of("a"))
    age_marks(-1)
    assert submit((1, 1), idempotency=record_of("a")) == Replayed(Counted(b"1"))
    assert pending() == {1: 1}


def test_record_of_a_large_submission_is_small() -> None:
    submit(*((number, 1) for number in range(1_000)), idempotency=record_of("a"))
    (name,) = cast(list[bytes], valkey.truth().keys("*marks*"))
    assert [len(value) for value in cast(list[bytes], valkey.truth().hvals(name.decode()))] == [16]
    assert submit(*((number, 1) for number in range(1_000)), idempotency=record_of("a")) == Replayed(
        Counted(b"1" * 1_000)
    )
