"""Every test here starts with empty stores."""

from collections.abc import Iterator

import pytest

from tests.counters import forget_everything


@pytest.fixture(autouse=True)
def empty_stores(transactional_db: None) -> Iterator[None]:
    forget_everything()
    yield
    forget_everything()
