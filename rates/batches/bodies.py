"""Bodies of batches: a JSON array, NDJSON or CSV, as lines of one row each.

A row is a line whatever the format: an array's elements become lines too, which loses nothing, as a newline between
tokens is only white space. So chunks are cut at lines, and a row is read again alone: one that is bad spoils no other.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from common.errors import FieldError, InvalidInput
from common.text.csvrows import NoRows, Table, open_rows, read_row, split_row
from common.text.jsonbody import load_json
from common.text.lines import end_by_newlines
from common.text.numbers import number_in
from rates.batches.errors import BatchTooLarge

_SPACE = re.compile(r"[ \t\n\r]*")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
# For finding where values end and how many days they span: any number will do, as rows are read exactly later.
_LOOSE = json.JSONDecoder(parse_int=float)


def _check_first(values: Mapping[str, str]) -> None:
    """Raises ValueError: days or price, good or bad, do not look like one, as no names of columns do."""
    for name in ("date_from", "date_to"):
        if not _DAY.fullmatch(values.get(name, "")):
            raise ValueError(f"{name}: Must be a day like 2026-11-21.")
    if isinstance(number_in(values.get("price", "")), str):
        raise ValueError("price: Must be a number in digits like 10.50.")


COLUMNS = ("date_from", "date_to", "origin_code", "destination_code", "price", "currency")
UPLOADS = Table(COLUMNS, _check_first, optional=frozenset({"currency"}))


class BodyFormat(StrEnum):
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


class Body(NamedTuple):
    """A body as lines.

    Attributes:
        columns: of a CSV; else empty.
        first_line: number of the first of ``lines``: physical lines count from 1, and so do the elements of an array.
        lines: each without its end, blank ones too, with a glance at its fields: as ``read_line`` gives them, but not
            exact, and None where nothing can be read. Iterate once; raises what ``open_body`` raises.
    """

    columns: list[str]
    first_line: int
    lines: Iterator[tuple[bytes, Any]]


def open_body(body: bytes, form: BodyFormat, max_rows: int) -> Body:
    """Raises InvalidInput: it is not of this format; BatchTooLarge: more than ``max_rows`` lines."""
    body = body.removeprefix(BOM_UTF8)
    if form is BodyFormat.JSON:
        return Body([], 1, _array_lines(body, max_rows))
    is_csv = form is BodyFormat.CSV
    lines = _physical_lines(body, max_rows + is_csv, max_rows)
    columns, first_line = _csv_head(lines) if is_csv else ([], 1)
    rows = lines[first_line - 1 :]
    if len(rows) > max_rows:  # there is no header
        raise _too_many(max_rows)
    return Body(columns, first_line, ((line, _glance(line, columns)) for line in rows))


def _physical_lines(body: bytes, max_lines: int, max_rows: int) -> list[bytes]:
    """Without the blank ones at the end."""
    text = end_by_newlines(body.rstrip())
    if text.count(b"\n") >= max_lines:  # before there are millions of them
        raise _too_many(max_rows)
    return [line.strip() for line in text.split(b"\n")] if text else []


def _csv_head(lines: list[bytes]) -> tuple[list[str], int]:
    """The columns, and the number of the first row. Raises InvalidInput."""
    try:
        rows = open_rows(enumerate(lines, 1), UPLOADS)
    except NoRows as exc:
        raise _invalid(str(exc)) from exc
    return list(rows.columns), rows.first


def _array_lines(body: bytes, max_rows: int) -> Iterator[tuple[bytes, Any]]:
    try:
        for count, (element, value) in enumerate(_elements(body.decode())):
            if count == max_rows:
                raise _too_many(max_rows)
            yield _one_line(element).encode(), value
    except UnicodeDecodeError as exc:
        raise _invalid(f"Must be UTF-8; byte {exc.start} is not.") from exc
    except RecursionError as exc:
        raise _invalid("Is nested too deeply.") from exc
    except json.JSONDecodeError as exc:
        raise _invalid(f"Is no JSON array: {exc.msg} at character {exc.pos}.") from exc


def _one_line(element: str) -> str:
    return element.replace("\r", " ").replace("\n", " ")


def _elements(text: str) -> Iterator[tuple[str, Any]]:
    """The text of each element, and what it is about. Raises JSONDecodeError."""
    position = _after(text, 0, "[")
    if text.startswith("]", position):
        return _end(text, position)
    while True:
        value, end = _LOOSE.raw_decode(text, position)
        yield text[position:end], value
        position = _SPACE.match(text, end).end()  # type: ignore[union-attr]
        if text.startswith("]", position):
            return _end(text, position)
        position = _after(text, position, ",")


def _after(text: str, position: int, sign: str) -> int:
    """Where the next token begins, behind ``sign``."""
    start = _SPACE.match(text, position).end()  # type: ignore[union-attr]
    if not text.startswith(sign, start):
        raise json.JSONDecodeError(f"Expecting '{sign}'", text, start)
    return _SPACE.match(text, start + 1).end()  # type: ignore[union-attr]


def _end(text: str, position: int) -> None:
    if (rest := _SPACE.match(text, position + 1).end()) < len(text):  # type: ignore[union-attr]
        raise json.JSONDecodeError("Something follows the array", text, rest)


def read_line(line: bytes, columns: list[str]) -> Any:
    """A row's fields, not checked yet, or what stands in their place; numbers are exact.

    Args:   columns: of a CSV; empty for JSON.
    Raises: InvalidInput: the line cannot be read.
    """
    return _csv_row(line, columns) if columns else load_json(line)


def _csv_row(line: bytes, columns: list[str]) -> dict[str, Any]:
    try:
        fields: dict[str, Any] = dict(read_row(line, columns))
    except ValueError as exc:
        raise InvalidInput(FieldError("row", str(exc))) from exc
    return fields | {"price": number_in(fields["price"])} if "price" in fields else fields


def _glance(line: bytes, columns: list[str]) -> Any:
    try:
        if columns:
            return dict(zip(columns, split_row(line), strict=False))
        return _LOOSE.decode(line.removeprefix(BOM_UTF8).decode())
    except (ValueError, RecursionError):
        return None


def _too_many(max_rows: int) -> BatchTooLarge:
    return BatchTooLarge(f"A batch has at most {max_rows:,} rows (BATCH_MAX_ROWS). Nothing was kept; send it in parts.")


def _invalid(detail: str) -> InvalidInput:
    return InvalidInput(FieldError("body", detail))
