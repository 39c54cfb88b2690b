"""Batches of prices with several workers and senders at the same time."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.db import connections, transaction
from pytest_django import Settings

from common.errors import Overloaded
from rates.batches import applying, planning, submitting
from rates.batches.applying import apply_batches
from rates.batches.cancelling import cancel_batch
from rates.batches.progress import batch_progress
from rates.batches.rows import apply_rows
from rates.models import BatchChunk, PriceBatch
from tests.concurrency.rates.test_races import meanwhile
from tests.pricebatches import expected, make_ports, prices, row, submit

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 4


@pytest.fixture(autouse=True)
def small_chunks(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "CHUNK_ROWS", 10)
    make_ports()


def side_by_side(*works: Callable[[], object]) -> list[Any]:
    """What each returns or raises, each on a thread of its own."""

    def on_own_connections(work: Callable[[], object]) -> object:
        try:
            return work()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result(60) for done in [pool.submit(on_own_connections, work) for work in works]]


def wait_for_each_other(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, parties: int) -> None:
    """The first calls of a function begin only when ``parties`` threads are there."""
    work, both, calls = getattr(module, name), threading.Barrier(parties, timeout=10), iter(range(parties))

    def run(*args: Any, **kwargs: Any) -> Any:
        if next(calls, None) is not None:
            both.wait()
        return work(*args, **kwargs)

    monkeypatch.setattr(module, name, run)


def test_workers_side_by_side_apply_every_chunk_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(n) for n in range(200)]
    batch = submit(rows)
    wait_for_each_other(monkeypatch, applying, "apply_rows", WORKERS)
    assert side_by_side(*[apply_batches] * WORKERS) == [False] * WORKERS
    assert not apply_batches()
    assert batch_progress(batch.id).status == "finished"
    assert prices() == expected(rows)
    assert set(BatchChunk.objects.values_list("attempts", flat=True)) == {1}


def apply_one_chunk_twice(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Two workers without leases have the same chunk."""

    @contextmanager
    def no_lease(chunk_id: int) -> Iterator[bool]:
        yield True

    submit([row(n) for n in range(10)])
    monkeypatch.setattr(applying, "chunk_lease", no_lease)
    wait_for_each_other(monkeypatch, applying, "_apply", 2)
    return side_by_side(*[applying.CHUNKS.work_on_next] * 2)


def test_without_the_lease_the_lock_of_the_chunk_still_keeps_the_second_worker_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert apply_one_chunk_twice(monkeypatch) == [True, True]
    assert prices() == expected([row(n) for n in range(10)])


def test_control_without_lease_and_lock_every_price_is_there_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(chunk_id: int) -> BatchChunk:
        return BatchChunk.objects.select_related("batch").get(pk=chunk_id)

    monkeypatch.setattr(applying, "lock_chunk", look)
    apply_one_chunk_twice(monkeypatch)
    assert prices().total() == 20


def test_batches_at_once_do_not_pass_the_limit_together(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.BATCH_MAX_WAITING = 2
    wait_for_each_other(monkeypatch, submitting, "plan_batch", 4)
    outcomes = side_by_side(*[partial(submit, [row(n)]) for n in range(4)])
    assert sum(isinstance(outcome, Overloaded) for outcome in outcomes) == 2
    assert PriceBatch.objects.count() == 2


def test_cancelling_waits_for_the_chunk_that_is_being_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the answer to a cancel counts is all that is ever applied."""
    batch = submit([row(n) for n in range(30)])
    begun, may_end = threading.Event(), threading.Event()

    def apply_slowly(*args: Any) -> Any:
        begun.set()
        assert may_end.wait(10)
        return apply_rows(*args)

    def cancel() -> int:
        assert begun.wait(10)
        threading.Timer(0.2, may_end.set).start()
        cancel_batch(batch.id)
        return batch_progress(batch.id).rows_applied

    monkeypatch.setattr(applying, "apply_rows", apply_slowly)
    assert side_by_side(applying.CHUNKS.work_on_next, cancel) == [True, 10]
    assert not apply_batches()
    assert prices().total() == 10


def test_chunk_that_waited_for_a_cancel_is_not_counted_as_applied() -> None:
    """The worker has counted its attempt, and locks the chunk for its work while the cancel is not committed yet."""
    batch = submit([row(n) for n in range(10)])
    chunk = BatchChunk.objects.get()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            cancel_batch(batch.id)
            work = meanwhile(pool, lambda: transaction.atomic(applying._apply)(chunk.id))
            assert not work.done()
        work.result(10)
    progress = batch_progress(batch.id)
    assert (progress.status, progress.rows_applied, prices().total()) == ("cancelled", 0, 0)
