from pathlib import Path

import pytest
from pytest_django import Settings

from tests.timestamps import empty_everything


@pytest.fixture(autouse=True)
def _stores(transactional_db: None, settings: Settings, tmp_path: Path) -> None:
    settings.ARCHIVE_URL = str(tmp_path / "archive")
    empty_everything()
