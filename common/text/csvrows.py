"""Rows of CSV, of files and of bodies: lines in, values by the names of their columns out.

A row is a line, whatever quotes are in it, so a stray one costs its own row only. A header names the columns, in any
order; under the wrong columns each row could be good and say something else, so a first line that is neither a header
nor a row is an error for all.

Not the standard library's reader: that joins lines over quotes, and takes no blank behind one.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from common.text.textfiles import LONGEST_LINE, NoText, as_predicate

Line = tuple[int, bytes]  # number, and the line without its end
_VALUE = re.compile(r'[ \t]*+(?:"((?:[^"]|"")*+)"[ \t]*+|(?!")([^,]*+))(,|\Z)')
_QUOTED = re.compile(r'[ \t]*+"(?:[^"]|"")*+"')
_SHOWN_VALUES, _SHOWN_CHARACTERS = 8, 40


class Table(NamedTuple):
    """What the rows of a kind of file have.

    Attributes:
        columns: their names, lower case, in the order that they have where there is no header.
        check_first: raises ValueError, saying why, where a first line's values by name, without the empty ones, are not
            those of a row. It may let bad rows pass which no header can look like: they are rejected alone then.
        optional: columns that may be missing; without a header, the last ones.
    """

    columns: tuple[str, ...]
    check_first: Callable[[Mapping[str, str]], object]
    optional: frozenset[str] = frozenset()


class Rows(NamedTuple):
    """Attributes: columns: of these rows, in their order; first: number of the first row's line; lines: from that on,
    without the blank ones.
    """

    columns: tuple[str, ...]
    first: int
    lines: Iterator[Line]


class NoRows(NoText):
    """Says what there is instead, and what there should be."""


class RejectedRow(NamedTuple):
    """A row that was not taken. Attributes: line: its number, from 1."""

    line: int
    reason: str


def open_rows(lines: Iterable[Line], table: Table) -> Rows:
    """Find out what the columns are. Raises NoRows: nobody can tell, or there is no row."""
    filled = (line for line in lines if line[1].strip())
    first = next(filled, None)
    columns = _header_in(first, table) if first else None
    if columns:
        first = next(filled, None)
    if first is None:
        raise NoRows("Has no rows.")
    columns = columns or _columns_of_row(first, table)
    return Rows(columns, first[0], chain([first], filled))


def _header_in(line: Line, table: Table) -> tuple[str, ...] | None:
    names = _names(_first_values(line))
    is_header = len(set(names)) == len(names) and set(table.columns) - table.optional <= set(names)
    return names if is_header and set(names) <= set(table.columns) else None


def _columns_of_row(line: Line, table: Table) -> tuple[str, ...]:
    """Raises NoRows: the line is no row."""
    values = _first_values(line)
    columns = table.columns[: len(values)]
    try:
        _check_count(values, table)
        table.check_first({name: value for name, value in zip(columns, values, strict=True) if value})
    except ValueError as error:
        found = _in_words(values, table, str(error))
        raise NoRows(f"Has neither a header nor a row in line {line[0]}: {found} {_wanted(table)}") from error
    return columns


def _check_count(values: Sequence[str], table: Table) -> None:
    fewest, most = len(table.columns) - len(table.optional), len(table.columns)
    if not fewest <= len(values) <= most:
        raise ValueError(f"A row has {fewest if fewest == most else f'{fewest} to {most}'} values.")


def _first_values(line: Line) -> list[str]:
    try:
        return split_row(line[1])
    except ValueError as error:
        raise NoRows(f"Has neither a header nor a row in line {line[0]}, which {as_predicate(error)}") from error


def _names(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(value.lower() for value in values)


def _in_words(values: Sequence[str], table: Table, fault: str) -> str:
    """What keeps the values from being a header; where they are nothing like one, ``fault``: from being a row."""
    names = Counter(_names(values))
    if not names.keys() & set(table.columns):
        shown = ", ".join(repr(value[:_SHOWN_CHARACTERS]) for value in values[:_SHOWN_VALUES])
        return f"it has {shown}{' and more' if len(values) > _SHOWN_VALUES else ''}. {fault}"
    strange = [value for value in values if value.lower() not in table.columns][:_SHOWN_VALUES]
    faults = [f"{value[:_SHOWN_CHARACTERS]!r} is no column" if value else "a column has no name" for value in strange]
    faults += [f"{name} comes twice" for name in table.columns if names[name] > 1]
    faults += [f"{name} is missing" for name in table.columns if name not in names and name not in table.optional]
    return ", ".join(faults) + "."


def _wanted(table: Table) -> str:
    optional = [name for name in table.columns if name in table.optional]
    missing = f"; {' and '.join(optional)} may be missing" if optional else ""
    return (
        f"The columns are {', '.join(table.columns)}, parted by commas, in any order if a header names them{missing}."
    )


def read_row(line: bytes, columns: Sequence[str]) -> dict[str, str]:
    """The values of a row by name, without blanks around them; empty ones are left out. Raises ValueError."""
    values = split_row(line)
    if len(values) != len(columns):
        raise ValueError(f"Has {len(values)} column{'s' * (len(values) > 1)}, not {', '.join(columns)}.")
    return {name: value for name, value in zip(columns, values, strict=True) if value}


def split_row(line: bytes) -> list[str]:
    """The values of a line, without blanks around them. Raises ValueError."""
    if len(line) > LONGEST_LINE:
        raise ValueError(f"Is longer than {LONGEST_LINE:,} bytes.")
    try:
        text = line.decode()
    except UnicodeDecodeError as exc:
        raise ValueError(f"Is not UTF-8: byte {exc.start + 1} is 0x{line[exc.start]:02X}; save it as UTF-8.") from exc
    values = _unquoted(text) if '"' in text else text.split(",")
    return [value.strip() for value in values]


def _unquoted(text: str) -> Iterator[str]:
    """Raises ValueError. A quote is one where it begins a value; within such a value two of them stand for one."""
    end, comma = 0, ","
    while comma:
        match = _VALUE.match(text, end)
        if match is None:
            closed = _QUOTED.match(text, end)
            fault = "something behind its closing quote" if closed else "a quote that is not closed in its line"
            raise ValueError(f"Has {fault}, from character {end + 1} on.")
        quoted, plain, comma = match.groups()
        yield plain if quoted is None else quoted.replace('""', '"')
        end = match.end()
