"""Entries as records. What passes here no table refuses, and every reader can show: a batch is written as a whole.

PostgreSQL has years of which ``datetime`` knows nothing, so a day is looked up in the narrower calendar.
"""

import re
from collections.abc import Iterable
from datetime import datetime

from common.text.uuids import HYPHENATED_UUID
from timestamps.errors import BrokenEntry
from timestamps.log.lines import load_entry
from timestamps.types import Entry, Record

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
_LINE = re.compile(
    rf"""^{{"position":"(\d+)-(\d+)","fields":{{"command_id":"({HYPHENATED_UUID.pattern})","""
    rf""""event_timestamp":"({_INSTANT.pattern})","correlation_id":"({HYPHENATED_UUID.pattern})"}}}}$""",
    re.ASCII | re.MULTILINE,
)


def decode_lines(lines: list[bytes]) -> tuple[list[Record], list[tuple[Entry, str]]]:
    """As decode_entries. All at once, unless one is broken or looks otherwise than what is appended does."""
    found = _LINE.findall(b"\n".join(lines).decode())
    if len(found) == len(lines) and _all_in_calendar({event_timestamp for _, _, _, event_timestamp, _ in found}):
        return list(map(Record._make, found)), []
    return decode_entries(map(load_entry, lines))


def decode_entries(entries: Iterable[Entry]) -> tuple[list[Record], list[tuple[Entry, str]]]:
    """Records, and broken entries with what is wrong with them; both in the order of ``entries``."""
    records: list[Record] = []
    broken: list[tuple[Entry, str]] = []
    for entry in entries:
        try:
            records.append(_decode(entry))
        except BrokenEntry as error:
            broken.append((entry, error.detail))
    return records, broken


def _decode(entry: Entry) -> Record:
    """Raises BrokenEntry, naming the field."""
    (ms, seq), fields = entry
    command_id = _checked(fields, "command_id", HYPHENATED_UUID)
    event_timestamp = _checked(fields, "event_timestamp", _INSTANT)
    if not _all_in_calendar([event_timestamp]):
        raise BrokenEntry("event_timestamp is no time of the calendar")
    return Record(str(ms), str(seq), command_id, event_timestamp, _checked(fields, "correlation_id", HYPHENATED_UUID))


def _checked(fields: dict[str, str], name: str, form: re.Pattern[str]) -> str:
    text = fields.get(name)
    if text is None:
        raise BrokenEntry(f"{name} is missing")
    if not form.fullmatch(text):
        raise BrokenEntry(f"{name} is malformed")
    return text


def _all_in_calendar(instants: Iterable[str]) -> bool:
    try:
        for instant in instants:
            datetime.fromisoformat(instant)
    except ValueError:
        return False
    return True
