"""Batches as a person sees them, and as a scrape does."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from rates.batches.applying import apply_batches
from rates.batches.metrics import batch_metrics
from rates.models import BatchStatus, PriceBatch
from tests.pricebatches import make_ports, row, submit

pytestmark = pytest.mark.django_db

LIST = "/admin/rates/pricebatch/"


@pytest.fixture(autouse=True)
def ports() -> None:
    make_ports()


@pytest.fixture
def people(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.content[-300:])
    return re.sub(r"\s+", " ", answer.content.decode())


def test_batch_is_shown_with_its_outcomes_and_errors(people: Client) -> None:
    batch = submit([row(1), row(2, price=0)])
    assert "about 1 s" in text(people, f"{LIST}{batch.pk}/change/")
    apply_batches()
    assert "finished" in text(people, LIST)
    page = text(people, f"{LIST}{batch.pk}/change/")
    assert "100%" in page
    assert f"{LIST}{batch.pk}/errors.csv" in page
    errors = b"".join(people.get(f"{LIST}{batch.pk}/errors.csv"))
    assert b"invalid-input" in errors
    assert Client().get(f"{LIST}{batch.pk}/errors.csv").status_code == 302


def test_batch_is_cancelled_after_a_question_and_changed_in_no_other_way(people: Client) -> None:
    batch = submit([row(1)])
    people.get(f"{LIST}{batch.pk}/cancel/")
    assert PriceBatch.objects.get().status == BatchStatus.QUEUED
    people.post(f"{LIST}{batch.pk}/cancel/", {"_form_submitted": "True"})
    assert PriceBatch.objects.get().status == BatchStatus.CANCELLED
    assert "Cancel the batch" not in text(people, f"{LIST}{batch.pk}/change/")
    assert people.post(f"{LIST}{batch.pk}/delete/", {"post": "yes"}).status_code == 403
    assert people.get(f"{LIST}add/").status_code == 403


def test_metrics_count_rows_by_outcome_and_the_age_of_what_waits() -> None:
    def samples() -> dict[str, float]:
        return {
            sample.name + "".join(sample.labels.values()): sample.value
            for metric in batch_metrics()
            for sample in metric.samples
        }

    submit([row(1), row(2), "bad"])
    waiting = samples()
    assert waiting.pop("floodgate_price_batch_age_seconds") > 0
    assert waiting == {
        "floodgate_price_batches_waiting": 1,
        "floodgate_price_batch_rows_totalapplied": 0,
        "floodgate_price_batch_rows_totalrejected": 0,
    }
    apply_batches()
    assert samples() == {
        "floodgate_price_batch_age_seconds": 0,
        "floodgate_price_batches_waiting": 0,
        "floodgate_price_batch_rows_totalapplied": 2,
        "floodgate_price_batch_rows_totalrejected": 1,
    }
