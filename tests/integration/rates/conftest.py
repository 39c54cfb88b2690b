"""Every test here commits, as the service does, and may ask on both roads."""

import pytest
from pytest_django import Settings

from common.stores import CACHE, WRITE_STORE


@pytest.fixture(autouse=True)
def one_lane(transactional_db: None, settings: Settings) -> None:
    settings.DB_LANES = 1
    settings.RATE_LIMIT = "off"
    CACHE.is_open = WRITE_STORE.is_open = False
