"""Each segment exactly once, wherever a flush dies and whoever flushes beside it."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from itertools import count as numbers_from
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from redis import Redis
from redis.exceptions import ConnectionError as StoreGone
from redis.exceptions import OutOfMemoryError

from counters import buffer, flushing
from counters.flushing import flush_counters, prune_flushes
from counters.jobs import FLUSH
from counters.models import Counter, Flush, FlushTotals
from jobs.running import run
from tests.counters import (
    Stop,
    assert_all_is_flushed,
    committed,
    count,
    flush_as_far_as,
    flush_elsewhere,
    forget_everything,
    key_of,
    of_one_shard,
    pending,
    persisted,
    segments,
    side_by_side,
    values,
    watched_steps,
)
from tests.valkeys import own_truth

pytestmark = committed


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flushing, "SLICE_KEYS", 3)


def test_flush_moves_everything_and_answers_how_much() -> None:
    totals = {number: number + 1 for number in range(50)}
    count(totals)
    assert flush_counters() == 50
    assert_all_is_flushed(totals)
    assert flush_counters() == 0
    assert_all_is_flushed(totals)


def test_flush_adds_to_what_is_there() -> None:
    for _ in range(3):
        count({1: 2, 2: 5})
        flush_counters()
    count({3: 1})
    flush_counters()
    assert_all_is_flushed({1: 6, 2: 15, 3: 1})


def test_slices_are_sorted_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = of_one_shard(8)
    slices: list[list[bytes]] = []
    add = flushing._add

    def add_noted(deltas: list[tuple[bytes, int]]) -> None:
        slices.append([key for key, _ in deltas])
        add(deltas)

    monkeypatch.setattr(flushing, "_add", add_noted)
    count(dict.fromkeys(numbers, 1))
    flush_counters()
    assert [len(keys) for keys in slices] == [3, 3, 2]
    assert list(chain(*slices)) == sorted(key_of(number).bytes for number in numbers)


def test_statements_per_flush_do_not_grow_with_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flushing, "SLICE_KEYS", 5_000)

    def statements(keys: int) -> int:
        count(dict.fromkeys(of_one_shard(keys), 1))
        with CaptureQueriesContext(connection) as asked:
            flush_counters()
        return len(asked)

    statements(1)  # makes the row of totals
    assert statements(1) == statements(1_000)


# Dying


def test_flush_that_dies_at_any_step_is_finished_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (buffer, flushing):
        monkeypatch.setattr(module, "SHARDS", 2)
    for stop in numbers_from():
        forget_everything()
        for table in (Counter, Flush, FlushTotals):
            table.objects.all().delete()
        totals = prepare_segments()
        step = flush_as_far_as(stop)
        if not step:
            break
        assert values(totals) == totals, f"after a death at step {stop}, {step}"
        count(dict.fromkeys(totals, 1))
        flush_counters()
        assert_all_is_flushed({number: total + 1 for number, total in totals.items()})
    assert stop > 30


def prepare_segments() -> dict[int, int]:
    """Two in one shard, one of them closed, and one in another shard; of four, one and one keys."""
    first, other = of_one_shard(4), of_one_shard(1, 1)
    count(dict.fromkeys(first, 1))
    buffer.seal_segments(0)
    count(dict.fromkeys([first[2], *other], 5))
    return {first[0]: 1, first[1]: 1, first[2]: 6, first[3]: 1, other[0]: 5}


@pytest.mark.parametrize("seed", range(3))
def test_any_history_of_counting_and_dying_ends_exact(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "SEGMENT_KEYS", 4)
    dice = random.Random(seed)
    totals: dict[int, int] = {}
    for _ in range(15):
        more = {dice.randrange(40): dice.randrange(1, 2**40) for _ in range(dice.randrange(1, 10))}
        count(more)
        totals = {number: totals.get(number, 0) + more.get(number, 0) for number in totals | more}
        flush_as_far_as(dice.randrange(40))
        assert values(totals) == totals
    flush_counters()
    assert_all_is_flushed(totals)


def test_connection_that_breaks_within_a_slice_undoes_the_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    totals = dict.fromkeys(of_one_shard(5), 1)
    count(totals)
    add = flushing._add
    calls: list[int] = []

    def add_and_break(deltas: list[tuple[bytes, int]]) -> None:
        add(deltas)
        calls.append(len(deltas))
        if len(calls) == 2:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patch:
        patch.setattr(flushing, "_add", add_and_break)
        with pytest.raises(OperationalError):
            flush_counters()
    assert len(persisted()) == 3
    assert values(totals) == totals
    flush_counters()
    assert_all_is_flushed(totals)


def test_segments_do_not_pile_up_while_the_database_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, say: leases are granted, and every attempt would close a segment more."""

    def refuse(deltas: list[tuple[bytes, int]]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY; CREATE TABLE never (x int)")

    (number,) = of_one_shard(1)
    with monkeypatch.context() as patch:
        patch.setattr(flushing, "_add", refuse)
        for _ in range(5):
            count({number: 1})
            with pytest.raises(Exception, match="read-only"):
                flush_counters()
    assert len(segments(0)) == 2
    assert flush_counters() == 2
    assert_all_is_flushed({number: 5})


# Zombies


@contextmanager
def leases_are_lost() -> Iterator[None]:
    """As when the connection that held a lease broke unnoticed: several may flush one shard."""

    @contextmanager
    def granted(shard: int) -> Iterator[bool]:
        yield True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flushing, "shard_lease", granted)
        yield


def run_once_at(step: str, nth: int, work: Callable[[], Any]) -> Callable[[str], None]:
    """What ``watched_steps`` calls: it does ``work`` at the nth time of ``step``, whose own steps do not count."""
    left = nth

    def visit(name: str) -> None:
        nonlocal left
        if name == step and left > 0:
            left -= 1
            if left == 0:
                work()

    return visit


@pytest.mark.parametrize(
    ("step", "nth"),
    [
        ("after seal_segments", 1),
        ("after read_segment", 1),
        ("before _add_slice", 1),
        ("before _add_slice", 2),
        ("after _add_slice", 1),
        ("after _add_slice", 2),
        ("before drop_segment", 1),
        ("after drop_segment", 1),
    ],
)
def test_zombie_adds_nothing_to_what_another_has_finished(step: str, nth: int) -> None:
    totals = dict.fromkeys(of_one_shard(5), 1)
    count(totals)
    finished_by_another: list[int] = []
    visit = run_once_at(step, nth, lambda: finished_by_another.append(flush_elsewhere()))
    with leases_are_lost(), watched_steps(visit):
        by_zombie = flush_counters()
    assert by_zombie + finished_by_another[0] == 5
    assert_all_is_flushed(totals)


def test_zombie_that_holds_old_deltas_leaves_later_segments_alone() -> None:
    totals = dict.fromkeys(of_one_shard(5), 1)
    count(totals)

    def others_go_on() -> None:
        for _ in range(3):
            flush_elsewhere()
            count(totals)

    with leases_are_lost(), watched_steps(run_once_at("before _add_slice", 2, others_go_on)):
        flush_counters()
    assert values(totals) == dict.fromkeys(totals, 4)
    flush_counters()
    assert_all_is_flushed(dict.fromkeys(totals, 4))


def flush_one_segment_twice_at_once() -> dict[int, int]:
    """Both have read it before either adds, and both are about to lock before either has."""
    totals = dict.fromkeys(of_one_shard(7), 3)
    count(totals)
    both_have_it = Barrier(2, timeout=10)
    first_two = ["before lock_flush"] * 2

    def visit(name: str) -> None:
        if name == "after read_segment":
            both_have_it.wait()
        elif name in first_two:
            first_two.pop()
            both_have_it.wait()

    with leases_are_lost(), watched_steps(visit):
        assert sum(side_by_side(flush_counters, flush_counters)) >= 7
    return totals


def test_two_flushers_of_one_segment_add_it_once() -> None:
    assert_all_is_flushed(flush_one_segment_twice_at_once())


def test_control_without_the_lock_both_add_it(monkeypatch: pytest.MonkeyPatch) -> None:
    both_know_where_they_are = Barrier(2, timeout=10)
    first_two = ["lock", "lock"]

    def look_without_lock(segment: UUID) -> Flush:
        flush = Flush.objects.get(pk=segment)
        if first_two:
            first_two.pop()
            both_know_where_they_are.wait()
        return flush

    monkeypatch.setattr(flushing, "lock_flush", look_without_lock)
    totals = flush_one_segment_twice_at_once()
    assert max(persisted().values()) > max(totals.values())


def test_leased_shard_is_left_to_its_flusher(monkeypatch: pytest.MonkeyPatch) -> None:
    totals = dict.fromkeys(of_one_shard(2) + of_one_shard(2, 1), 1)
    count(totals)
    others: list[int] = []
    monkeypatch.setattr(random, "sample", lambda shards, count: [*shards])
    with watched_steps(run_once_at("after seal_segments", 1, lambda: others.append(flush_elsewhere()))):
        mine = flush_counters()
    assert (mine, others) == (2, [2])
    assert_all_is_flushed(totals)


# Book-keeping


def test_totals_of_flushes_are_exact_after_pruning() -> None:
    for _ in range(3):
        count(dict.fromkeys(range(16), 1))
        flush_counters()
    Flush.objects.update(finished_at=timezone.now() - timedelta(days=2))
    prune_flushes()
    assert not Flush.objects.exists()
    rows = FlushTotals.objects.values_list("shard", "flushes", "rows")
    assert sorted(rows) == [(shard, 3, 6) for shard in range(buffer.SHARDS)]
    assert all(0 < seconds < 5 for seconds in FlushTotals.objects.values_list("seconds", flat=True))


def test_only_old_flushes_that_the_buffer_does_not_name_are_pruned() -> None:
    numbers = of_one_shard(1)
    for stop_before_drop in (False, True, False):
        count(dict.fromkeys(numbers, 1))
        if stop_before_drop:
            with pytest.raises(Stop), watched_steps(run_once_at("before drop_segment", 1, stop_here)):
                flush_counters()
            named = segments(0)[0]
            Flush.objects.filter(pk=named).update(finished_at=timezone.now() - timedelta(days=2))
            prune_flushes()
            assert Flush.objects.filter(pk=named).exists()
        else:
            flush_counters()
    assert_all_is_flushed({numbers[0]: 3})
    prune_flushes()
    assert Flush.objects.count() == 2  # all but the old one, which the buffer does not name any more


def stop_here() -> None:
    raise Stop


def test_unfinished_flush_is_never_pruned() -> None:
    Flush.objects.create(pk=key_of(1), shard=0, started_at=timezone.now() - timedelta(days=9))
    prune_flushes()
    assert Flush.objects.count() == 1


# Doors


def test_command_tells_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    count(dict.fromkeys(range(1_200), 1))
    call_command("flush_counters")
    assert capsys.readouterr().out == "1,200 deltas written, 0 keys wait\n"
    assert pending() == {}


def test_command_fails_in_one_line_without_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(shard: int) -> Any:
        raise StoreGone("refused")

    monkeypatch.setattr(flushing, "seal_segments", gone)
    with pytest.raises(CommandError, match=r"A store does not answer.* refused"):
        call_command("flush_counters")
    run(FLUSH)  # only says so in the log


def test_job_flushes() -> None:
    count({1: 1})
    run(FLUSH)
    assert_all_is_flushed({1: 1})


def test_counter_that_is_locked_delays_only_its_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A huge value on one key never blocks another, and neither does a lock on its row."""
    (slow,), (free,) = of_one_shard(1, 0), of_one_shard(1, 1)
    count({slow: 1, free: 1})
    flush_counters()
    count({slow: 1, free: 1})
    monkeypatch.setattr(random, "sample", lambda shards, count: [1, *shards])
    with transaction.atomic():
        Counter.objects.select_for_update().get(pk=key_of(slow))
        with pytest.raises(OperationalError):
            side_by_side(flush_with_short_patience)
        assert persisted() == {slow: 1, free: 2}
    flush_counters()
    assert_all_is_flushed({slow: 2, free: 2})


def flush_with_short_patience() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    flush_counters()


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator["Redis"]:
    """A truth store that no other test shares."""
    with own_truth(tmp_path) as client:
        yield client


def test_full_buffer_is_flushed(own_store: "Redis") -> None:
    """That is what makes room."""
    count({1: 5})
    own_store.config_set("maxmemory", 1)
    with pytest.raises(OutOfMemoryError):
        count({1: 1})
    assert flush_counters() == 1
    own_store.config_set("maxmemory", 0)
    assert_all_is_flushed({1: 5})
