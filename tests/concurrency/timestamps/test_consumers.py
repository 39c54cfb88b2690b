"""Consumers in processes of their own beside writers and readers: each entry is one row, and no reader misses it."""

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction

from common.idempotency import IdempotencyRecord, Replayed
from tests.concurrency.timestamps.consumer import consume_and_die, consume_until
from tests.timestamps import CORRELATION_ID, append, build_table, committed, make_live, read, rows
from timestamps.consumer.consuming import consume_log
from timestamps.consumer.lagging import read_lag
from timestamps.ids import ids_from
from timestamps.livetable import live_table
from timestamps.log import stream
from timestamps.models import DeadLetter
from timestamps.records.projecting import project
from timestamps.selectors import read_timestamps
from timestamps.services import append_timestamps
from timestamps.tables import drop_record_table
from timestamps.types import Appended, Query, Submission, Timestamp

pytestmark = committed

RACE_SECONDS = 2.0
KILL_SECONDS = 3.0
STEP_ENTRIES = 7  # so that consuming is many transactions

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.concurrency.timestamps.consumer"])


class Consumer:
    """A process that consumes until it is stopped or killed."""

    def __init__(self, *, has_leases: bool) -> None:
        self._begun, self._stop = PROCESSES.Event(), PROCESSES.Event()
        arguments = (connection.settings_dict["NAME"], STEP_ENTRIES, has_leases, self._begun, self._stop)
        self._process = PROCESSES.Process(target=consume_until, args=arguments, daemon=True)
        self._process.start()
        assert self._begun.wait(30), "no consumer within 30 s"

    def kill(self) -> None:
        self._process.kill()
        self._process.join(10)

    def finish(self) -> int | None:
        """Exit code: 0 unless something stopped it."""
        self._stop.set()
        self._process.join(10)
        return self._process.exitcode


def killed_consumer(before: str) -> None:
    process = PROCESSES.Process(target=consume_and_die, args=(connection.settings_dict["NAME"], before))
    process.start()
    process.join(30)
    assert process.exitcode == -9


def assert_persisted_once(ids: list[UUID]) -> None:
    assert sorted(row[0] for row in rows(live_table().number)) == sorted(ids)
    assert read_lag().entries == 0
    assert live_table().records == len(ids)
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("before", ["commit", "told"])
def test_a_consumer_that_is_killed_is_followed_by_one_that_ends_its_work(before: str) -> None:
    ids = append(3)
    killed_consumer(before)
    assert len(rows()) == (0 if before == "commit" else 3)
    assert read_lag().entries == 3
    assert all(isinstance(read(command_id), Timestamp) for command_id in ids)
    consume_log()
    assert_persisted_once(ids)


@contextmanager
def beside(*work: Callable[[Event], Any]) -> Iterator[list[Any]]:
    """Runs each on a thread until the block ends; the list then has what each returned."""
    stop, results = Event(), list[Any]()

    def run(one: Callable[[Event], Any]) -> Any:
        try:
            return one(stop)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(work)) as pool:
        running = [pool.submit(run, one) for one in work]
        try:
            yield results
        finally:
            stop.set()
            results += [one.result(60) for one in running]


class Crowd:
    """Writers and readers that share what was handed out."""

    def __init__(self) -> None:
        self.ids: list[UUID] = []

    def write(self, stop: Event) -> None:
        dice = random.Random()
        while not stop.is_set():
            self.ids += append(dice.randrange(1, 20))
            time.sleep(0.002)

    def read(self, stop: Event) -> int:
        """Asks for ids again and again, the latest most; answers how many it read."""
        dice, reads = random.Random(), 0
        while not stop.is_set() or not reads:
            known = len(self.ids)
            asked = {self.ids[max(0, known - 1 - int(dice.expovariate(0.05)))] for _ in range(20) if known}
            answers = read_timestamps([Query(command_id) for command_id in asked])
            assert [type(answer) for answer in answers] == [Timestamp] * len(asked)
            reads += len(asked)
        return reads


@pytest.mark.parametrize("has_leases", [True, False])
def test_two_consumers_beside_writers_and_readers_write_each_entry_once(has_leases: bool) -> None:
    crowd = Crowd()
    consumers = [Consumer(has_leases=has_leases) for _ in range(2)]
    with beside(crowd.write, crowd.write, crowd.read, crowd.read) as results:
        time.sleep(RACE_SECONDS)
    assert [consumer.finish() for consumer in consumers] == [0, 0]
    assert min(results[2:]) > 0
    consume_log()
    assert len(crowd.ids) > 100
    assert_persisted_once(crowd.ids)


def test_consumers_killed_over_and_over_lose_and_repeat_nothing() -> None:
    crowd, dice = Crowd(), random.Random()
    until = time.monotonic() + KILL_SECONDS
    kills = 0
    with beside(crowd.write, crowd.read):
        while time.monotonic() < until:
            consumers = [Consumer(has_leases=kills % 4 == 0) for _ in range(2)]
            time.sleep(dice.random() * 0.1)
            for consumer in consumers:
                consumer.kill()
                kills += 1
    assert kills > 5
    consume_log()
    assert_persisted_once(crowd.ids)


def test_readers_find_all_while_table_after_table_goes_live() -> None:
    crowd = Crowd()
    crowd.ids += append(500)
    consume_log()
    with beside(crowd.read, crowd.read) as results:
        for number in range(2, 12):
            build_table(number)
            with transaction.atomic():
                project(number)
            make_live(number)
            drop_record_table(number - 2)  # one behind, as a reader may be
    assert min(results) > 0
    stream.raise_high_water_mark(live_table().position)
    assert_persisted_once(crowd.ids)


def test_repeats_of_one_request_at_once_are_one_submission() -> None:
    submission = Submission(["2018-08-04T05:32:31Z"] * 5, CORRELATION_ID, IdempotencyRecord(b"d" * 16, b"f" * 16))

    def send(_: int) -> Any:
        try:
            return append_timestamps([submission])[0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(send, range(64)))
    [first] = [outcome for outcome in outcomes if isinstance(outcome, Appended)]
    assert all(outcome.result == first for outcome in outcomes if isinstance(outcome, Replayed))
    assert consume_log() == 5
    assert_persisted_once(list(map(UUID, ids_from(first.first_id, first.count))))
