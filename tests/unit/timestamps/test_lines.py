"""Entries as lines, and lines as records: the short way answers as the long one."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timestamps.log import lines
from timestamps.log.lines import Found, dump_entry, dump_found, load_entry
from timestamps.records import decoding
from timestamps.records.decoding import decode_entries, decode_lines
from timestamps.types import Entry, Position

ID = "01a1fda7-97c8-7775-a6e6-cad757bbc72a"
GOOD = {"command_id": ID, "event_timestamp": "2018-08-04T05:32:31.25Z", "correlation_id": ID.upper()}


def found(*entries: dict[str, str]) -> Found:
    """As the stream answers."""
    return [
        (f"1700-{at}".encode(), [part.encode() for pair in fields.items() for part in pair])
        for at, fields in enumerate(entries)
    ]


def dumped(*entries: dict[str, str]) -> list[bytes]:
    return [dump_entry(Entry(Position(1_700, at), fields)) for at, fields in enumerate(entries)]


def refuse(*_: object) -> None:
    raise AssertionError("the long way was taken")


def test_what_we_append_is_dumped_and_decoded_without_an_object_for_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = dumped(GOOD, GOOD)
    monkeypatch.setattr(lines, "_entry", refuse)
    monkeypatch.setattr(decoding, "decode_entries", refuse)
    assert dump_found(found(GOOD, GOOD)) == expected
    records, broken = decode_lines(expected)
    assert records == [("1700", str(at), *GOOD.values()) for at in (0, 1)]
    assert (records[1].position, broken) == (Position(1_700, 1), [])


@given(st.lists(st.dictionaries(st.sampled_from([*GOOD, "other"]), st.text('a1"\\\n\x7fäZ-:')), max_size=3))
def test_entries_are_dumped_alike_whatever_is_in_them(entries: list[dict[str, str]]) -> None:
    assert dump_found(found(*entries)) == dumped(*entries)
    assert dump_found(found(*entries, GOOD)) == dumped(*entries, GOOD)


def test_the_later_one_of_two_fields_of_a_name_counts() -> None:
    [line] = dump_found([(b"1-2", [b"command_id", b"a", b"command_id", b"b"])])
    assert load_entry(line) == Entry(Position(1, 2), {"command_id": "b"})


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: dict(reversed(fields.items())),
        lambda fields: fields | {"more": "1"},
        lambda fields: fields | {"command_id": f"{ID}\n"},
        lambda fields: fields | {"command_id": ID.replace("-", "")},
        lambda fields: fields | {"event_timestamp": "2018-02-30T05:32:31Z"},
        lambda fields: fields | {"event_timestamp": "2018-08-04T05:32:31.1234567Z"},
        lambda fields: {"command_id": ID},
        lambda fields: {"x": '{"position":"1-1"', **fields},
    ],
)
def test_lines_are_decoded_as_their_entries_are(change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    both = dumped(GOOD, change(GOOD))
    assert decode_lines(both) == decode_entries(map(load_entry, both))


def test_a_line_with_spaces_is_one_too() -> None:
    [line] = dumped(GOOD)
    assert decode_lines([line.replace(b":{", b": {")]) == decode_lines([line])
