"""What a scrape tells of imports that wait and of publications."""

from datetime import timedelta

import pytest
from django.utils import timezone

from promotions.metrics import promotions_metrics
from promotions.models import Import, Publication
from tests.promotions import imported, rows, submit

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])


def samples() -> dict[str, float]:
    return {family.name: family.samples[0].value for family in promotions_metrics()}


def test_oldest_import_shows_its_age_until_it_has_ended() -> None:
    assert samples()["floodgate_import_age_seconds"] == samples()["floodgate_import_queued_seconds"] == 0
    waiting = submit(rows(range(3)))
    Import.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(seconds=90))
    assert samples()["floodgate_import_queued_seconds"] == pytest.approx(90, abs=5)
    Import.objects.filter(pk=waiting.pk).update(status="loading")
    assert samples()["floodgate_import_queued_seconds"] == 0
    assert samples()["floodgate_import_age_seconds"] == pytest.approx(90, abs=5)


def test_publishing_takes_until_readers_have_the_version() -> None:
    """Whatever is decided meanwhile."""
    imported(rows(range(3)))
    assert 0 < samples()["floodgate_promotions_publish_seconds"] < 5
    assert samples()["floodgate_promotions_undelivered_seconds"] == 0
    decided_at = timezone.now() - timedelta(seconds=60)
    Publication.objects.update(delivered_at=None, decided_at=decided_at)
    decided = Publication.objects.get()
    Publication.objects.create(epoch=decided.epoch + 1, version=decided.version)
    assert samples()["floodgate_promotions_undelivered_seconds"] == pytest.approx(60, abs=5)
