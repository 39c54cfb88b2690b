"""Entries as records. Only their form is looked at: whether a day exists is for the database to say."""

import re
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
        _checked(fields, "event_timestamp", _INSTANT),
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
