"""Every test here starts with nothing live and its own IMPORT_ROOT."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.promotions import drop_all_versions, forget_everything


@pytest.fixture(autouse=True)
def nothing_live(transactional_db: None, tmp_path: Path, settings: Settings) -> Iterator[None]:
    settings.IMPORT_ROOT = tmp_path / "imports"
    settings.SPOOL_DIR = tmp_path / "spool"
    for folder in (settings.IMPORT_ROOT, settings.SPOOL_DIR):
        folder.mkdir()
    forget_everything()
    yield
    drop_all_versions()
    forget_everything()
