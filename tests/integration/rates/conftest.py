"""Every test here commits, as the service does, and may ask on both roads."""

import pytest
from pytest_django import Settings

from common.stores.guarded import CACHE, WRITE_STORE


@pytest.fixture(autouse=True)
def unlimited(transactional_db: None, settings: Settings) -> None:
    settings.RATE_LIMIT = "off"
    CACHE.is_open = WRITE_STORE.is_open = False
