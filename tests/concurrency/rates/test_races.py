"""Writers at once: the tree stays a tree, and rollups are what the prices say, whoever moves what meanwhile."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, connections, transaction

from gateway.batching.batches import run_batch
from rates.models import NO_CYCLE, Port, Price, Region, Rollup
from rates.prices import services
from rates.prices.rebuilding import prove_rollup
from rates.prices.services import add_prices, delete_prices
from rates.questions import averages
from rates.questions.averages import read_rates
from rates.types import PriceRange, PricesAdded, RatesAnswer, RatesQuery
from tests.rates import add, day, port, region

pytestmark = pytest.mark.django_db(transaction=True)


def on_own_connection(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connections.close_all()


def meanwhile(pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Future[Any]:
    """Starts ``work`` on another connection, and returns when that waits for a lock, or is done."""
    running = pool.submit(on_own_connection, work)
    deadline = time.monotonic() + 10
    while not running.done() and not somebody_waits():
        assert time.monotonic() < deadline, "neither done nor waiting"
        time.sleep(0.01)
    return running


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


@pytest.fixture
def no_locks(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The control: nobody locks the tree."""
    monkeypatch.setattr(services, "share_tree", lambda: None)
    switch("DISABLE")
    yield
    switch("ENABLE")


def switch(to: str) -> None:
    with connection.cursor() as cursor:
        for table in ("region", "port", "price"):
            cursor.execute(f"ALTER TABLE rates_{table} {to} TRIGGER {table}s_lock_tree")


# The tree


def two_halves_of_a_circle() -> Future[Any]:
    one, other = region("one"), region("other")
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Region.objects.filter(pk=one.pk).update(parent=other)
            second = meanwhile(pool, lambda: Region.objects.filter(pk=other.pk).update(parent=one))
        second.exception(20)
    return second


def test_two_transactions_with_half_of_a_circle_each_make_none() -> None:
    refused = two_halves_of_a_circle().exception()
    assert isinstance(refused, IntegrityError)
    assert refused.__cause__.diag.constraint_name == NO_CYCLE  # type: ignore[union-attr]
    assert sorted(Region.objects.values_list("slug", "parent__slug")) == [("one", "other"), ("other", None)]
    assert prove_rollup().holds


@pytest.mark.usefixtures("no_locks")
def test_without_the_lock_they_would_make_one() -> None:
    assert two_halves_of_a_circle().exception() is None
    assert sorted(Region.objects.values_list("slug", "parent__slug")) == [("one", "other"), ("other", "one")]
    assert not prove_rollup().holds  # and comes to an end


def test_older_snapshot_than_the_lock_writes_neither_tree_nor_prices() -> None:
    here = region("here")
    start, end = port("AAAAA", here), port("BBBBB", here)
    for write in (here.save, start.save, lambda: add(start, end, 0, 1)):
        with pytest.raises(DatabaseError, match="READ COMMITTED"):
            in_one_snapshot(write)


def in_one_snapshot(write: Callable[[], object]) -> None:
    with transaction.atomic():
        connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        write()


# Prices while ports move


def upload_while_its_port_moves() -> None:
    here, there = region("here"), region("there")
    start, end = port("AAAAA", here), port("BBBBB", here)
    add(start, end, 0, 1)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Port.objects.filter(pk=end.pk).update(region=there)
            upload = meanwhile(pool, lambda: add(start, end, 0, 2))
        upload.result(20)


def test_upload_counts_where_its_port_moved_meanwhile() -> None:
    upload_while_its_port_moves()
    assert prove_rollup().holds


@pytest.mark.usefixtures("no_locks")
def test_without_the_lock_it_would_count_where_the_port_was() -> None:
    upload_while_its_port_moves()
    assert not prove_rollup().holds


def test_port_that_moves_takes_an_upload_with_it_that_is_not_committed_yet() -> None:
    here, there = region("here"), region("there")
    start, end = port("AAAAA", here), port("BBBBB", here)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            add(start, end, 0, 1)
            move = meanwhile(pool, lambda: Port.objects.filter(pk=end.pk).update(region=there))
            assert not move.done()
        move.result(20)
    assert prove_rollup().holds


def test_port_is_not_deleted_under_an_upload() -> None:
    here = region("here")
    start, end = port("AAAAA", here), port("BBBBB", here)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            add(start, end, 0, 1)
            deleted = meanwhile(pool, lambda: Port.objects.filter(pk=end.pk).delete())
        assert isinstance(deleted.exception(20), IntegrityError)
    assert Port.objects.count() == 2


# Questions


def test_answer_is_of_one_state_while_others_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prices come after the question has read its places and the version, and before it reads averages."""
    here = region("here")
    start, end = port("AAAAA", here), port("BBBBB", here)
    add(start, end, 0, 10)
    query = RatesQuery(day(0), day(0), "AAAAA", "here", min_prices=1)
    (before,) = read_rates([query])
    rows = averages._rows

    def rows_late(statement: str, searches: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(on_own_connection, lambda: add(start, end, 0, 90)).result(20)
        return rows(statement, searches)

    with monkeypatch.context() as patched:
        patched.setattr(averages, "_rows", rows_late)
        patched.setattr(averages, "BATCH_SECONDS", 30.0)
        assert read_rates([query]) == [before]
    (after,) = read_rates([query])
    assert isinstance(before, RatesAnswer)
    assert isinstance(after, RatesAnswer)
    assert after.version > before.version
    assert [rate.average for rate in after.days or ()] == [50]


# Writers of the same lanes


def test_writers_of_the_same_lanes_in_any_order_lose_nothing_and_never_lock_each_other_out() -> None:
    lanes = all_lanes()
    works = [lambda seed=seed: write_shuffled(lanes, seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(on_own_connection, works)) == 4 * 5 * len(lanes)
    assert Price.objects.count() == 4 * 5 * len(lanes)
    assert prove_rollup().holds


def all_lanes() -> list[tuple[int, int]]:
    nodes = [region(f"r{number}") for number in range(3)]
    places = [port(f"P{number:04}", nodes[number % 3]).pk for number in range(6)]
    return list(product(places, places))


def write_shuffled(lanes: list[tuple[int, int]], seed: int) -> int:
    """Adds a price to each lane five times; returns how many were added. No transaction is repeated."""
    choose, added = random.Random(seed), 0
    for _ in range(5):
        ranges = [PriceRange(*lane, day(0), day(0), Decimal(choose.randrange(1, 9))) for lane in lanes]
        choose.shuffle(ranges)
        added += sum(isinstance(outcome, PricesAdded) for outcome in add_prices(ranges))
    return added


def test_last_price_of_a_day_may_go_while_another_comes() -> None:
    here = region("here")
    start, end = port("AAAAA", here), port("BBBBB", here)
    add(start, end, 0, 1)
    (first,) = Price.objects.values_list("pk", flat=True)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert delete_prices([first, first, 0]) == [True, False, False]
            other = meanwhile(pool, lambda: add(start, end, 0, 2))
        other.result(20)
    assert prove_rollup().holds
    assert set(Rollup.objects.values_list("sum", "count")) == {(Decimal(2), 1)}


def test_rollups_are_what_prices_say_after_everything_at_once() -> None:
    lanes = all_lanes()
    stop = threading.Event()
    works = [
        lambda: keep_on(stop, lambda choose: write_shuffled(lanes[:9], choose.randrange(100)), 1),
        lambda: keep_on(stop, lambda choose: write_shuffled(lanes[5:20], choose.randrange(100)), 2),
        lambda: keep_on(stop, delete_some, 3),
        lambda: keep_on(stop, move_a_port, 4),
        lambda: keep_on(stop, move_a_region, 5),
    ]
    with ThreadPoolExecutor(5) as pool:
        done = [pool.submit(on_own_connection, work) for work in works]
        timer = threading.Timer(2, stop.set)
        timer.start()
        assert all(each.result(30) for each in done)
    assert prove_rollup().holds


def keep_on(stop: threading.Event, step: Callable[[random.Random], object], seed: int) -> int:
    """How often it was done; conflicts repeat a step, as the batcher does."""
    choose, times = random.Random(seed), 0
    while not stop.is_set():
        (outcome,) = run_batch(lambda items: [step(choose)], [None])
        assert not isinstance(outcome, Exception), outcome
        times += 1
    return times


def delete_some(choose: random.Random) -> object:
    ids = list(Price.objects.values_list("pk", flat=True)[:50])
    return delete_prices(choose.sample(ids, len(ids) // 2))


def move_a_port(choose: random.Random) -> object:
    ports, regions = Port.objects.values_list("pk", flat=True), Region.objects.values_list("pk", flat=True)
    return Port.objects.filter(pk=choose.choice(ports)).update(region=choose.choice(regions))


def move_a_region(choose: random.Random) -> object:
    """Under one with a smaller id, so there is never a circle."""
    ids = sorted(Region.objects.values_list("pk", flat=True))
    moved = choose.choice(ids)
    return Region.objects.filter(pk=moved).update(parent=choose.choice([None, *(pk for pk in ids if pk < moved)]))
