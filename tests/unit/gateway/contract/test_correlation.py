import uuid

import pytest

from gateway.contract.correlation import correlation_id_of
from gateway.contract.headers import Headers, fields_of
from gateway.errors import InvalidCorrelationId

GIVEN = "123e4567-e89b-12d3-a456-426614174000"
OTHER = "223e4567-e89b-12d3-a456-426614174000"
NO_UUIDS = ["", "7", GIVEN + "0", f"{{{GIVEN}}}", GIVEN.replace("-", ""), f"{GIVEN}\n", "é" * 36]


def chosen(headers: Headers) -> str:
    return correlation_id_of(fields_of(headers))


def is_fresh(found: str) -> bool:
    return found not in (GIVEN, OTHER) and str(uuid.UUID(found)) == found


@pytest.mark.parametrize("name", [b"correlationid", b"x-correlation-id"])
def test_the_clients_id_is_kept_in_lower_case(name: bytes) -> None:
    assert chosen([(b"host", b"a"), (name, GIVEN.upper().encode())]) == GIVEN


def test_without_one_a_fresh_id_is_made() -> None:
    first, second = chosen([]), chosen([])
    assert first != second
    assert is_fresh(first)


@pytest.mark.parametrize("given", NO_UUIDS)
def test_our_own_header_is_a_uuid_or_refused_by_its_name(given: str) -> None:
    for also in ([], [(b"x-correlation-id", GIVEN.encode())]):
        with pytest.raises(InvalidCorrelationId) as refused:
            chosen([*also, (b"correlationid", given.encode("latin-1"))])
        assert [error.field for error in refused.value.errors] == ["correlationId"]


@pytest.mark.parametrize("given", NO_UUIDS)
def test_what_is_no_uuid_in_the_usual_header_is_no_reason_to_refuse(given: str) -> None:
    usual = (b"x-correlation-id", given.encode("latin-1"))
    assert is_fresh(chosen([usual]))
    assert chosen([usual, (b"correlationid", GIVEN.encode())]) == GIVEN


def test_of_both_our_own_counts_wherever_it_stands() -> None:
    both = [(b"x-correlation-id", OTHER.encode()), (b"correlationid", GIVEN.encode())]
    assert chosen(both) == chosen(both[::-1]) == GIVEN


def test_two_of_the_usual_are_none() -> None:
    assert is_fresh(chosen([(b"x-correlation-id", GIVEN.encode()), (b"x-correlation-id", OTHER.encode())]))
