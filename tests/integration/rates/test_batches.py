"""Batches of prices: what is accepted, what becomes of each row, and what a killed worker leaves."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from psycopg.errors import LockNotAvailable
from pytest_django import Settings

from common.errors import Overloaded
from jobs.pieces import MAX_ATTEMPTS
from rates.batches import applying, planning, submitting
from rates.batches.admission import ASSUMED_PRICES_PER_SECOND, prices_per_second
from rates.batches.applying import apply_batches
from rates.batches.cancelling import cancel_batch
from rates.batches.errors import BatchEnded, BatchNotFound, DeadlineUnreachable
from rates.batches.progress import BatchProgress, batch_progress
from rates.models import BatchChunk, BatchReject, BatchStatus, ExchangeRate, Price, PriceBatch
from tests.pricebatches import expected, make_ports, prices, rejects, row, submit
from tests.rates import day

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "CHUNK_ROWS", 10)
    make_ports()


def state(batch: PriceBatch) -> BatchProgress:
    return batch_progress(batch.id)


def counts(batch: PriceBatch) -> tuple[str, int, int]:
    now = state(batch)
    assert now.rows_total == batch.row_count
    return now.status, now.rows_applied, now.rows_rejected


def test_all_rows_of_a_good_batch_become_prices() -> None:
    rows = [row(n) for n in range(34)] + [row(5, date_to=str(day(9)))]
    batch = submit(rows)
    assert counts(batch) == ("queued", 0, 0)
    assert prices() == {}
    assert not apply_batches()
    assert counts(batch) == ("finished", 35, 0)
    assert prices() == expected(rows)
    assert set(Price.objects.values_list("batch_id", flat=True)) == {batch.id}


def test_batch_wakes_as_many_workers_as_begin_at_once_and_have_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[int] = []
    monkeypatch.setattr(submitting, "wake", lambda job, *, workers: woken.append(workers))
    for count in (9, 19, 29):
        submit([row(n) for n in range(count)])
    assert woken == [1, 2, 2]


def test_row_of_the_last_day_of_the_calendar_lands_with_those_beside_it() -> None:
    rows = [row(1), row(2, date_from="9999-12-30", date_to="9999-12-31")]
    batch = submit(rows)
    assert not apply_batches()
    assert counts(batch) == ("finished", 2, 0)
    assert prices() == expected(rows)


BAD_ROWS: list[tuple[Any, str, str]] = [
    ("{", "invalid-input", "body: Is no JSON"),
    ("7", "invalid-input", "body: Must be an object"),
    ("[]", "invalid-input", "body: Must be an object"),
    (row(price=0), "invalid-input", "price: Must be above 0"),
    (row(price=-1), "invalid-input", "price: "),
    (row(price="5"), "invalid-input", "price: "),
    (row(price=10**12), "invalid-input", "price: "),
    (row(price=1.005), "invalid-input", "price: "),
    (row(date_to="2026-02-30"), "invalid-input", "date_to: Is no day of the calendar."),
    (row(date_to="2025-02-01"), "invalid-input", "date_to: Must not be before date_from."),
    (row(date_to="2040-02-01"), "invalid-input", "date_to: Must be at most ten years"),
    (row(currency="eur"), "invalid-input", "currency: "),
    (row(currency="QQQ"), "invalid-input", "currency: Is no currency"),
    (row(currency="EUR"), "no-exchange-rate", ""),
    (row(origin_code="XXXXX"), "place-not-found", "origin_code: There is no port XXXXX."),
    (row(origin_code="'; --"), "invalid-input", "origin_code: "),
    (row(colour="red"), "invalid-input", "colour: Is no field here."),
    ('{"a\\u0000\\ud800": 1}', "invalid-input", "a\ufffd?: Is no field here."),
    ('{"price": 1, "price": 2}', "invalid-input", "price: Comes twice"),
]


def test_bad_rows_are_reported_and_the_others_land() -> None:
    """Bad rows stand between good ones, so each chunk has both."""
    rows = [each for bad, _, _ in BAD_ROWS for each in (row(1), bad, row(2))]
    batch = submit(rows)
    apply_batches()
    bad_numbers = range(2, len(rows) + 1, 3)
    assert counts(batch) == ("finished", 2 * len(BAD_ROWS), len(BAD_ROWS))
    assert prices() == expected(rows, *bad_numbers)
    found = list(BatchReject.objects.order_by("row"))
    assert [reject.row for reject in found] == list(bad_numbers)
    for reject, (bad, code, detail) in zip(found, BAD_ROWS, strict=True):
        assert (reject.code, reject.detail[: len(detail)]) == (code, detail), bad
        assert reject.raw


def test_rows_in_another_currency_are_converted_and_keep_where_they_came_from() -> None:
    for on, rate in ((day(0), "1.10"), (day(2), "1.20")):
        ExchangeRate.objects.create(provider="ecb", currency="EUR", rate_on=on, usd_per_unit=Decimal(rate))
    batch = submit([row(0, price=10, currency="EUR", date_to=str(day(2))), row(1, currency="CHF")])
    apply_batches()
    assert rejects(batch) == {2: "no-exchange-rate"}
    columns = ("day", "price_usd", "original_amount", "original_currency", "rate_on", "provider", "batch_row")
    assert list(Price.objects.order_by("day").values_list(*columns)) == [
        (day(0), 11, 10, "EUR", day(0), "ecb", 1),
        (day(1), 11, 10, "EUR", day(0), "ecb", 1),
        (day(2), 12, 10, "EUR", day(2), "ecb", 1),
    ]


def test_reject_says_little_of_a_row_with_very_many_errors() -> None:
    batch = submit([{f"field{n}": 1 for n in range(50_000)}])
    apply_batches()
    assert counts(batch) == ("finished", 0, 1)
    reject = BatchReject.objects.get()
    assert len(reject.detail) == len(reject.raw) == 1_024


def test_statements_of_a_chunk_do_not_grow_with_its_rows() -> None:
    def statements(count: int) -> int:
        submit([row(n) for n in range(count)] + ["bad"])
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert applying.CHUNKS.work_on_next()
        return len(captured)

    assert statements(9) == statements(1)


def test_too_many_waiting_batches_refuse_another(settings: Settings) -> None:
    settings.BATCH_MAX_WAITING = 2
    submit([row(1)])
    submit([row(2)])
    with pytest.raises(Overloaded):
        submit([row(3)])
    apply_batches()
    submit([row(3)])


# Deadlines


def in_seconds(seconds: float) -> Any:
    return timezone.now() + timedelta(seconds=seconds)


def test_deadline_that_cannot_be_met_is_refused_and_says_what_could() -> None:
    rows = [row(1, date_to=str(day(300)))] * 100  # 30,000 prices
    with pytest.raises(DeadlineUnreachable) as caught:
        submit(rows, deadline_at=in_seconds(3))
    assert not PriceBatch.objects.exists()
    assert in_seconds(4) < caught.value.expected_at < in_seconds(20)
    submit(rows, deadline_at=caught.value.expected_at + timedelta(seconds=5))


def test_what_waits_in_front_counts_for_a_deadline() -> None:
    assert submit([row(1)], deadline_at=in_seconds(3))
    submit([row(1, date_to=str(day(300)))] * 100)
    with pytest.raises(DeadlineUnreachable):
        submit([row(2)], deadline_at=in_seconds(3))
    first, second = (state(batch).eta_seconds for batch in PriceBatch.objects.order_by("id"))
    assert first is not None
    assert second is not None
    assert first < second


def test_speed_is_measured_over_the_last_large_chunks() -> None:
    assert prices_per_second() == ASSUMED_PRICES_PER_SECOND
    submit([row(1), row(1, date_to=str(day(999)))])
    apply_batches()
    BatchChunk.objects.update(work_seconds=2.0)
    assert prices_per_second() == 1_000 / 2


def test_deadline_is_reported_as_met_or_missed() -> None:
    met, open_, missed, none = (submit([row(n)], deadline_at=in_seconds(30)) for n in range(4))
    PriceBatch.objects.filter(pk=missed.id).update(deadline_at=in_seconds(-1))
    PriceBatch.objects.filter(pk=none.id).update(deadline_at=None)
    assert [state(each).deadline_met for each in (met, open_, missed, none)] == [None, None, False, None]
    apply_batches()
    assert [state(each).deadline_met for each in (met, missed, none)] == [True, False, None]


# Cancelling


def test_cancelled_batch_keeps_what_was_applied_and_applies_no_more() -> None:
    rows = [row(n) for n in range(25)]
    batch = submit(rows)
    assert applying.CHUNKS.work_on_next()
    cancel_batch(batch.id)
    assert not apply_batches()
    assert counts(batch) == ("cancelled", 10, 0)
    assert prices() == expected(rows[:10])
    assert not BatchChunk.objects.exclude(text=b"").exists()
    with pytest.raises(BatchEnded):
        cancel_batch(batch.id)
    with pytest.raises(BatchNotFound):
        cancel_batch(10**30)


# What fails


class Killed(BaseException):
    """No handler of ours catches it, so it ends a worker as a signal does."""


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Kills the worker, for our purposes, at the named points."""
    points: list[str] = []

    def killing(name: str, work: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            if name in points:
                raise Killed
            return work(*args, **kwargs)

        return run

    for name in ("_apply", "apply_rows", "_finish", "_end_if_last"):
        monkeypatch.setattr(applying, name, killing(name, getattr(applying, name)))

    return points


def work_until_killed() -> None:
    with pytest.raises(Killed):
        apply_batches()


@pytest.mark.parametrize("point", ["_apply", "apply_rows", "_finish", "_end_if_last"])
def test_worker_killed_at_any_point_loses_and_doubles_nothing(killed: list[str], point: str) -> None:
    rows = [row(n) for n in range(25)]
    rows[3] = row(3, origin_code="XXXXX")
    batch = submit(rows)
    for _ in range(2):
        killed.append(point)
        work_until_killed()
        killed.clear()
        assert applying.CHUNKS.work_on_next()
    apply_batches()
    assert counts(batch) == ("finished", 24, 1)
    assert prices() == expected(rows, 4)


def test_chunk_that_kills_its_worker_each_time_is_given_up_and_the_others_land(
    killed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(n) for n in range(25)]
    batch, next_batch = submit(rows), submit(rows)
    killed.append("apply_rows")
    for _ in range(MAX_ATTEMPTS):
        work_until_killed()
    killed.clear()
    apply_batches()
    assert counts(batch) == ("failed", 15, 10)
    assert rejects(batch) == dict.fromkeys(range(1, 11), "not-applied")
    assert counts(next_batch) == ("finished", 25, 0)
    assert prices() == expected(rows, *range(1, 11)) + expected(rows)


def test_conflicts_with_others_do_not_use_up_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    def conflict(*args: Any) -> Any:
        raise OperationalError("lock timeout") from LockNotAvailable()

    batch = submit([row(1)])
    with monkeypatch.context() as patched:
        patched.setattr(applying, "apply_rows", conflict)
        for _ in range(MAX_ATTEMPTS + 1):
            with pytest.raises(OperationalError):
                apply_batches()
    apply_batches()
    assert counts(batch) == ("finished", 1, 0)


def test_chunk_that_cannot_even_be_given_up_does_not_stop_those_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(chunk_id: int) -> None:
        if chunk_id == stuck.chunks.get().id:
            raise ValueError("defect")
        work(chunk_id)

    stuck, work = submit([row(1)]), applying._apply
    batch = submit([row(2)])
    monkeypatch.setattr(applying, "_apply", fail)
    monkeypatch.setattr(applying, "_give_up", fail)
    assert not apply_batches()
    assert counts(stuck) == ("running", 0, 0)
    assert counts(batch) == ("finished", 1, 0)
    cancel_batch(stuck.id)


def test_chunk_that_fails_each_time_does_not_stop_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> Any:
        raise ValueError("defect")

    batch = submit([row(1)])
    monkeypatch.setattr(applying, "apply_rows", fail)
    assert not apply_batches()
    assert counts(batch) == ("failed", 0, 1)
    assert BatchStatus(state(batch).status) == BatchStatus.FAILED
