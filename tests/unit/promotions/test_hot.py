"""Answers of hot endpoints of promotions."""

from uuid import UUID

import pytest

from common.errors import NotFound
from gateway.contract.http import HotRequest
from promotions.hot import reply_promotion
from promotions.types import Found


@pytest.mark.parametrize(
    ("version", "said"), [(0, "No promotions are published yet."), (7, f"no promotion {UUID(int=1)} in version 7")]
)
def test_nothing_found_says_where(version: int, said: str) -> None:
    with pytest.raises(NotFound, match=said):
        reply_promotion(HotRequest(str(UUID(int=1)), b"", {}, ""), Found(version, None))
