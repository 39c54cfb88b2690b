"""Ids: what the log's script makes of a position, everybody reads back from the id."""

from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timestamps.ids import SEQUENCE_BITS, id_at, ids_from, position_of
from timestamps.types import Position

POSITIONS = st.builds(Position, st.integers(0, 2**48 - 1), st.integers(0, 2**SEQUENCE_BITS - 1))
RANDOM = st.integers(0, 2**32 - 1).map(lambda number: f"{number:08x}")


@given(POSITIONS, RANDOM)
def test_an_id_is_a_uuid_of_version_7_that_has_the_position(position: Position, random: str) -> None:
    text = id_at(position, random)
    found = UUID(text)
    assert (str(found), found.version, found.variant) == (text, 7, RFC_4122)
    assert position_of(found) == position
    assert found.int >> 80 == position.ms  # as everybody reads the time of a version 7


@given(POSITIONS, POSITIONS, RANDOM, RANDOM)
def test_ids_sort_as_the_log_does(one: Position, other: Position, first: str, second: str) -> None:
    if one != other:
        assert (id_at(one, first) < id_at(other, second)) == (one < other)
        assert (UUID(id_at(one, first)) < UUID(id_at(other, second))) == (one < other)


@given(POSITIONS.filter(lambda position: position.seq < 2**SEQUENCE_BITS - 10_000), RANDOM, st.integers(1, 20))
def test_ids_of_a_submission_are_one_position_after_the_other(position: Position, random: str, count: int) -> None:
    ids = list(ids_from(UUID(id_at(position, random)), count))
    assert [position_of(UUID(one)) for one in ids] == [Position(position.ms, position.seq + at) for at in range(count)]


@pytest.mark.parametrize(
    "other",
    [
        "01a1fda7-97c8-7775-a6e6-cad757bbc72a",  # as they were handed out before
        "01a1fda7-97c8-4775-86e6-0000d757bbc7",
        "01a1fda7-97c8-7775-86e6-0001d757bbc7",
        "01a1fda7-97c8-7775-96e6-0000d757bbc7",
        "d018ef0b-dbd9-48f1-ac1a-eb4d90e57118",  # of version 4
    ],
)
def test_an_id_that_no_append_makes_has_no_position(other: str) -> None:
    assert position_of(UUID(other)) is None


def test_ids_of_an_idempotency_record_from_before_count_up() -> None:
    first = UUID("01a1fda7-97c8-7775-a6e6-cad757bbc7ff")
    assert list(ids_from(first, 2)) == ["01a1fda7-97c8-7775-a6e6-cad757bbc7ff", "01a1fda7-97c8-7775-a6e6-cad757bbc800"]
