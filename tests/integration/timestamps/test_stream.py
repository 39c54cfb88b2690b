import pytest
from redis.exceptions import TimeoutError as RedisTimeout

from tests.timestamps import committed, entries, put_entry
from timestamps.log import stream
from timestamps.log.lines import Found
from timestamps.types import START, Entry, Position

pytestmark = committed


def test_entries_come_in_order_after_a_position() -> None:
    positions = [put_entry({"command_id": str(number)}) for number in range(3)]
    expected = [Entry(position, {"command_id": str(number)}) for number, position in enumerate(positions)]
    assert entries(stream.read_after(START, 10)) == expected
    assert entries(stream.read_after(START, 2)) == expected[:2]
    assert entries(stream.read_after(positions[0], 10)) == expected[1:]
    assert entries(stream.read_after(positions[-1], 10)) == []


def test_bytes_that_are_no_text_are_kept() -> None:
    put_entry({"command_id": b"\xff\x00"})
    [entry] = entries(stream.read_after(START, 10))
    assert entry.fields["command_id"].encode(errors="surrogateescape") == b"\xff\x00"


def test_a_position_before_the_trimmed_part_is_not_in_the_stream() -> None:
    from common.stores import valkey

    position = put_entry({"command_id": "1"})
    valkey.truth().set(stream.prefix() + "trimmed", str(position))
    assert stream.read_after(START, 10) is None
    assert entries(stream.read_after(Position(position.ms, position.seq), 10)) == []


def test_reading_is_repeated_while_the_store_is_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    position = put_entry({"command_id": "1"})
    read, left = stream._read, [RedisTimeout(), RedisTimeout(), RedisTimeout()]

    def held_up(position: Position, limit: int) -> tuple[bytes | None, Found]:
        if left:
            raise left.pop()
        return read(position, limit)

    monkeypatch.setattr(stream, "_read", held_up)
    assert entries(stream.read_after(START, 10)) == [Entry(position, {"command_id": "1"})]
    left += [RedisTimeout()] * 4
    with pytest.raises(RedisTimeout):
        stream.read_after(START, 10)
