"""Vouchers from a CSV file: code, amount, limit, starts_at, expires_at; the last two may be empty.

Nothing in a row can need quotes, so a line is a row and a comma ends a field. Rows are checked one by one, as strictly
as requests, and written a slice per transaction. What is there already with the same terms is no reject, so a run that
was killed is simply run again.

A header may name the columns in another order. One that is not understood stops the import before the first row: under
the wrong columns each row could be a voucher, for the wrong amount.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from common.errors import FieldError, InvalidInput, in_words
from gateway.fields import read_fields
from vouchers.creating import insert_vouchers
from vouchers.models import Voucher
from vouchers.parsing import VOUCHER, check_window
from vouchers.types import VoucherTerms

COLUMNS = ("code", "amount", "limit", "starts_at", "expires_at")
REQUIRED = 3  # the first ones
SLICE = 5_000
LONGEST_LINE = 10_000
_AMOUNT = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,20}", re.ASCII)
_NUMBER = re.compile(r"[-+]?[0-9]+(?:[.][0-9]*)?(?:[eE][-+]?[0-9]+)?", re.ASCII)
Line = tuple[int, bytes]


class RejectedRow(NamedTuple):
    """Attributes: line: of the file, counted from 1."""

    line: int
    reason: str


@dataclass
class ImportReport:
    """What became of the rows. ``present``: vouchers that were there already, with the same terms."""

    created: int = 0
    present: int = 0
    rejected: int = 0


def import_vouchers(
    path: Path,
    on_reject: Callable[[RejectedRow], object],
    on_progress: Callable[[int], object] = lambda size: None,
) -> ImportReport:
    """Create the vouchers of a file.

    Args:   on_reject: told of each row that is refused, a slice at a time, in order of lines within it.
            on_progress: told how many bytes each slice of the file had.
    Raises: InvalidInput: the header is not understood; nothing was done.
            OSError: the file cannot be read. DatabaseError. What came before is there; run it again.
    """
    report = ImportReport()
    with path.open("rb") as file:
        columns, lines = _read_header(enumerate(_lines(file), 1))
        for some in _slices(lines):
            rejects = _import_slice(some, columns, report)
            report.rejected += len(rejects)
            for reject in sorted(rejects):
                on_reject(reject)
            on_progress(sum(len(line) for _, line in some))
    return report


def _read_header(lines: Iterator[Line]) -> tuple[Sequence[str], Iterator[Line]]:
    """The columns, and the lines that are rows. Raises InvalidInput.

    A line without a number is no row, so as the first it is a header, known or not.
    """
    for number, line in lines:
        names = _values(line.decode(errors="replace"))
        if names == [""]:
            continue
        if any(_NUMBER.fullmatch(name) for name in names):
            return COLUMNS, chain([(number, line)], lines)
        _check_header(number, names)
        return names, lines
    return COLUMNS, lines


def _check_header(number: int, names: Sequence[str]) -> None:
    errors = [f"{name[:100]!r} is no column." for name in names if name not in COLUMNS]
    errors += [f"{name} comes twice." for name in COLUMNS if names.count(name) > 1]
    errors += [f"{name} is missing." for name in COLUMNS[:REQUIRED] if name not in names]
    if errors:
        known = f"Columns are {', '.join(COLUMNS)}, in any order; the last two may be missing. Nothing was imported."
        raise InvalidInput(FieldError(f"header in line {number}", " ".join([*errors, known])))


def _lines(file: BufferedReader) -> Iterator[bytes]:
    """Lines, of which too long ones are cut: they are rejected anyway, and must not fill the memory."""
    if file.peek(len(BOM_UTF8)).startswith(BOM_UTF8):
        file.read(len(BOM_UTF8))
    while line := file.readline(LONGEST_LINE):
        yield line
        while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)


def _slices(lines: Iterable[Line]) -> Iterator[list[Line]]:
    some: list[Line] = []
    for line in lines:
        some.append(line)
        if len(some) == SLICE:
            yield some
            some = []
    if some:
        yield some


def _import_slice(lines: Sequence[Line], columns: Sequence[str], report: ImportReport) -> list[RejectedRow]:
    wanted, rejects = _read_rows(lines, columns)
    made = {state.code for state in insert_vouchers([terms for _, terms in wanted.values()])}
    report.created += len(made)
    taken = {code: found for code, found in wanted.items() if code not in made}
    others = _those_with_other_terms(taken)
    report.present += len(taken) - len(others)
    return rejects + [RejectedRow(line, "code: There is a voucher with this code and other terms.") for line in others]


def _read_rows(
    lines: Sequence[Line], columns: Sequence[str]
) -> tuple[dict[str, tuple[int, VoucherTerms]], list[RejectedRow]]:
    """By code, each with its line."""
    wanted: dict[str, tuple[int, VoucherTerms]] = {}
    rejects: list[RejectedRow] = []
    for number, line in lines:
        try:
            terms = _terms(line, columns)
        except ValueError as error:
            rejects.append(RejectedRow(number, str(error)))
            continue
        if terms and terms.code in wanted:
            rejects.append(RejectedRow(number, f"code: Line {wanted[terms.code][0]} has the same."))
        elif terms:
            wanted[terms.code] = (number, terms)
    return wanted, rejects


def _those_with_other_terms(taken: dict[str, tuple[int, VoucherTerms]]) -> list[int]:
    """Lines whose code has a voucher that is not the one in the line."""
    there = {row[0]: VoucherTerms(*row) for row in Voucher.objects.filter(code__in=taken).values_list(*COLUMNS)}
    return [number for code, (number, terms) in taken.items() if there.get(code) != terms]


def _terms(line: bytes, columns: Sequence[str]) -> VoucherTerms | None:
    """Of one row; None for blank lines. Raises ValueError, naming the column."""
    try:
        values = _values(line.decode())
    except UnicodeDecodeError as exc:
        raise ValueError("Is not UTF-8.") from exc
    if values == [""]:
        return None
    if not REQUIRED <= len(values) <= len(columns):
        raise ValueError(f"Has {len(values)} columns, not {', '.join(columns)}.")
    fields: dict[str, Any] = {name: value for name, value in zip(columns, values, strict=False) if value}
    if _AMOUNT.fullmatch(fields.get("amount", "")):
        fields["amount"] = Decimal(fields["amount"])
    if _WHOLE.fullmatch(fields.get("limit", "")):
        fields["limit"] = int(fields["limit"])
    try:
        terms = VoucherTerms(**read_fields(fields, VOUCHER))
        check_window(terms.starts_at, terms.expires_at)
    except InvalidInput as error:
        raise ValueError(in_words(error.errors)) from error
    return terms


def _values(text: str) -> list[str]:
    return [value.strip() for value in text.split(",")]
