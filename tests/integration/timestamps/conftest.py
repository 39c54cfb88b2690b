import pytest

from tests.timestamps import empty_everything


@pytest.fixture(autouse=True)
def _stores(transactional_db: None) -> None:
    empty_everything()
