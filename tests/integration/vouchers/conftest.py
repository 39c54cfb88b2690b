"""Every test here starts with empty flags."""

from collections.abc import Iterator

import pytest

from tests.vouchers import forget_everything


@pytest.fixture(autouse=True)
def no_flags(transactional_db: None) -> Iterator[None]:
    forget_everything()
    yield
    forget_everything()
