"""Bodies of batches: a JSON array, NDJSON or CSV, as lines of one row each.

A row is a line whatever the format: an array's elements become lines too, which loses nothing, as a newline between
tokens is only white space. So chunks are cut at lines, and a row is read again alone: one that is bad spoils no other.
"""

import csv
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from common.errors import FieldError, InvalidInput
from gateway.jsonbody import load_json
from rates.batches.errors import BatchTooLarge

COLUMNS = ("date_from", "date_to", "origin_code", "destination_code", "price", "currency")
OPTIONAL = {"currency"}
_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(r"[ \t\n\r]*")
_PRICE = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?", re.ASCII)
# For finding where values end and how many days they span: any number will do, as rows are read exactly later.
_LOOSE = json.JSONDecoder(parse_int=float)


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
    body = body.removeprefix(_BOM)
    if form is BodyFormat.JSON:
        return Body([], 1, _array_lines(body, max_rows))
    header_lines = 1 if form is BodyFormat.CSV else 0
    lines = _physical_lines(body, max_rows + header_lines, max_rows)
    if form is BodyFormat.NDJSON:
        return Body([], 1, ((line, _glance_json(line)) for line in lines))
    columns = _columns(lines[0] if lines else b"")
    return Body(columns, 2, ((line, _glance_csv(line, columns)) for line in lines[1:]))


def _physical_lines(body: bytes, max_lines: int, max_rows: int) -> list[bytes]:
    """Without the blank ones at the end."""
    body = body.rstrip()
    if body.count(b"\n") >= max_lines:
        raise _too_many(max_rows)
    return [line.strip() for line in body.split(b"\n")] if body else []


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


def _columns(header: bytes) -> list[str]:
    try:
        columns = [name.strip().lower() for name in _csv_fields(header)]
    except InvalidInput:
        columns = []
    known = len(set(columns)) == len(columns) and set(columns) <= set(COLUMNS)
    if not known or not set(COLUMNS) - OPTIONAL <= set(columns):
        raise _invalid(f"Its first line must name the columns {','.join(COLUMNS)}; currency may be missing.")
    return columns


def read_line(line: bytes, columns: list[str]) -> Any:
    """A row's fields, not checked yet, or what stands in their place; numbers are exact.

    Args:   columns: of a CSV; empty for JSON.
    Raises: InvalidInput: the line cannot be read.
    """
    return _csv_row(line, columns) if columns else load_json(line)


def _csv_row(line: bytes, columns: list[str]) -> dict[str, Any]:
    values = [value.strip() for value in _csv_fields(line)]
    if len(values) != len(columns):
        raise InvalidInput(FieldError("row", f"Has {len(values)} columns, and the first line {len(columns)}."))
    fields: dict[str, Any] = {name: value for name, value in zip(columns, values, strict=True) if value}
    if _PRICE.fullmatch(fields.get("price", "")):
        fields["price"] = Decimal(fields["price"])
    return fields


def _csv_fields(line: bytes) -> list[str]:
    try:
        text = line.decode()
        return next(csv.reader([text], strict=True), []) if '"' in text else text.split(",")
    except UnicodeDecodeError as exc:
        raise InvalidInput(FieldError("row", "Must be UTF-8.")) from exc
    except csv.Error as exc:
        raise InvalidInput(FieldError("row", "Has a quote that is not closed; a row ends with its line.")) from exc


def _glance_json(line: bytes) -> Any:
    try:
        return _LOOSE.decode(line.decode())
    except (ValueError, RecursionError):
        return None


def _glance_csv(line: bytes, columns: list[str]) -> Any:
    try:
        return dict(zip(columns, _csv_fields(line), strict=False))
    except InvalidInput:
        return None


def _too_many(max_rows: int) -> BatchTooLarge:
    return BatchTooLarge(f"A batch has at most {max_rows:,} rows (BATCH_MAX_ROWS). Nothing was kept; send it in parts.")


def _invalid(detail: str) -> InvalidInput:
    return InvalidInput(FieldError("body", detail))
