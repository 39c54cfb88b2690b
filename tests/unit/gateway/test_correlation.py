import uuid

import pytest

from gateway.correlation import correlation_id_of
from gateway.errors import InvalidCorrelationId

GIVEN = "123e4567-e89b-12d3-a456-426614174000"


@pytest.mark.parametrize("name", [b"correlationid", b"x-correlation-id"])
def test_the_clients_id_is_kept_in_lower_case(name: bytes) -> None:
    assert correlation_id_of([(b"host", b"a"), (name, GIVEN.upper().encode())]) == GIVEN


def test_without_one_a_fresh_id_is_made() -> None:
    first, second = correlation_id_of([]), correlation_id_of([])
    assert first != second
    assert str(uuid.UUID(first)) == first


@pytest.mark.parametrize(
    "given", ["", "7", GIVEN + "0", f"{{{GIVEN}}}", GIVEN.replace("-", ""), f"{GIVEN}\n", "é" * 36]
)
def test_anything_but_a_uuid_is_refused_by_the_headers_name(given: str) -> None:
    with pytest.raises(InvalidCorrelationId) as refused:
        correlation_id_of([(b"correlationid", given.encode("latin-1"))])
    assert [error.field for error in refused.value.errors] == ["correlationId"]
