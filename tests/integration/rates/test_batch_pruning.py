"""What is left of a batch that ended long ago."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from rates.batches import planning, pruning
from rates.batches.applying import apply_batches
from rates.batches.cancelling import cancel_batch
from rates.batches.metrics import batch_metrics
from rates.batches.progress import batch_progress
from rates.batches.pruning import prune_batches
from rates.models import BatchChunk, BatchReject, PriceBatch
from tests.pricebatches import make_ports, row, submit

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "CHUNK_ROWS", 10)
    make_ports()


def ended(days_ago: int, *batches: PriceBatch) -> None:
    instant = timezone.now() - timedelta(days=days_ago)
    PriceBatch.objects.filter(pk__in=[batch.pk for batch in batches]).update(finished_at=instant)


def counted() -> dict[str, float]:
    return {sample.labels["outcome"]: sample.value for sample in next(iter(batch_metrics())).samples}


def errors_status(batch: PriceBatch) -> int:
    return Client().get(f"/rates/batches/{batch.pk}/errors").status_code


def test_old_batch_keeps_its_numbers_and_loses_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "SLICE", 2)
    rows = [row(n, price=0) if n < 5 else row(n) for n in range(24)]
    old, recent, waiting = submit(rows), submit([row(1, price=0)]), submit([row(n) for n in range(11)])
    apply_batches()
    ended(31, old)
    ended(29, recent)
    PriceBatch.objects.filter(pk=waiting.pk).update(finished_at=None)
    before, numbers = batch_progress(old.pk), counted()
    prune_batches()
    assert batch_progress(old.pk) == before
    assert counted() == numbers == {"applied": 30, "rejected": 6}
    assert set(BatchReject.objects.values_list("batch", flat=True)) == {recent.pk}
    assert set(BatchChunk.objects.values_list("batch", flat=True)) == {recent.pk, waiting.pk}


def test_errors_are_gone_as_soon_as_they_may_be_pruned() -> None:
    batch = submit([row(1, price=0)])
    apply_batches()
    ended(29, batch)
    assert errors_status(batch) == 200
    ended(31, batch)
    answer = Client().get(f"/rates/batches/{batch.pk}/errors")
    assert (answer.status_code, answer.json()["code"]) == (410, "batch-errors-gone")


def test_errors_stay_gone_when_batches_are_kept_for_longer(settings: Settings) -> None:
    batch = submit([row(1, price=0)])
    apply_batches()
    ended(31, batch)
    prune_batches()
    settings.BATCH_KEEP_DAYS = 60
    assert errors_status(batch) == 410


def test_pruning_that_was_killed_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = submit([row(n, price=0) for n in range(12)] + [row(1)])
    apply_batches()
    ended(31, batch)
    with monkeypatch.context() as patch:
        patch.setattr(pruning, "_drop_chunks", _killed)
        with pytest.raises(KeyboardInterrupt):
            prune_batches()
    prune_batches()
    now = batch_progress(batch.pk)
    assert (now.rows_applied, now.rows_rejected) == (1, 12)
    assert not BatchReject.objects.exists()
    assert not BatchChunk.objects.exists()


def _killed(batch_id: int) -> None:
    raise KeyboardInterrupt


def test_cancelled_batch_is_pruned() -> None:
    batch = submit([row(1)])
    cancel_batch(batch.pk)
    ended(31, batch)
    prune_batches()
    assert not BatchChunk.objects.exists()
    assert batch_progress(batch.pk).status == "cancelled"
