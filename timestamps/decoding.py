"""Entries as records. What passes here no table refuses, and every reader can show: a batch is written as a whole.

PostgreSQL has years of which ``datetime`` knows nothing, so a day is looked up in the narrower calendar.
"""

import re
from datetime import datetime
from uuid import UUID

from common.uuids import HYPHENATED_UUID
from timestamps.errors import BrokenEntry
from timestamps.types import Entry, Record

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)


def decode_entry(entry: Entry) -> Record:
    """Raises BrokenEntry, naming the field."""
    fields = entry.fields
    return Record(
        entry.position,
        UUID(_checked(fields, "command_id", HYPHENATED_UUID)),
        _in_calendar(_checked(fields, "event_timestamp", _INSTANT)),
        UUID(_checked(fields, "correlation_id", HYPHENATED_UUID)),
    )


def decode_entries(entries: list[Entry]) -> tuple[list[Record], list[tuple[Entry, str]]]:
    """Records, and broken entries with what is wrong with them; both in the order of ``entries``."""
    records: list[Record] = []
    broken: list[tuple[Entry, str]] = []
    for entry in entries:
        try:
            records.append(decode_entry(entry))
        except BrokenEntry as error:
            broken.append((entry, error.detail))
    return records, broken


def _checked(fields: dict[str, str], name: str, form: re.Pattern[str]) -> str:
    text = fields.get(name)
    if text is None:
        raise BrokenEntry(f"{name} is missing")
    if not form.fullmatch(text):
        raise BrokenEntry(f"{name} is malformed")
    return text


def _in_calendar(instant: str) -> str:
    try:
        datetime.fromisoformat(instant)
    except ValueError as error:
        raise BrokenEntry("event_timestamp is no time of the calendar") from error
    return instant
