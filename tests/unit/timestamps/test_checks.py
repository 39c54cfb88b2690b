import pytest
from pytest_django import Settings

from timestamps.checks import archive_has_a_driver


@pytest.mark.parametrize("url", ["/data/archive", "file:///data/archive", "memory://archive"])
def test_archive_with_a_driver_passes(settings: Settings, url: str) -> None:
    settings.ARCHIVE_URL = url
    assert archive_has_a_driver() == []


@pytest.mark.parametrize("url", ["nowhere://bucket/archive", "s3://bucket/archive"])
def test_archive_without_a_driver_stops_the_start(settings: Settings, url: str) -> None:
    settings.ARCHIVE_URL = url
    [error] = archive_has_a_driver()
    assert error.id == "timestamps.E001"
