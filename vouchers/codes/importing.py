"""Vouchers from a CSV file: code, amount, limit, starts_at, expires_at; the last two may be missing or empty.

Rows are checked one by one, as strictly as requests, and written a slice per transaction. What is there already with
the same terms is no reject, so a run that was killed is simply run again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import InvalidInput, in_words
from common.text.csvrows import Line, RejectedRow, Table, open_rows, read_row
from common.text.fields import read_fields
from common.text.numbers import number_in
from common.text.textfiles import numbered_lines, open_text, size_of
from vouchers.codes.creating import insert_vouchers
from vouchers.models import Voucher
from vouchers.parsing import VOUCHER, check_window
from vouchers.types import VoucherTerms

SLICE = 5_000
NUMBERS = ("amount", "limit")


def _check_first(values: Mapping[str, str]) -> None:
    """Raises ValueError: a number, good or bad, does not look like one, as no name of a column does."""
    for name in NUMBERS:
        if isinstance(number_in(values.get(name, "")), str):
            raise ValueError(f"{name}: Must be a number in digits.")


COLUMNS = ("code", "amount", "limit", "starts_at", "expires_at")
VOUCHERS = Table(COLUMNS, _check_first, optional=frozenset({"starts_at", "expires_at"}))


@dataclass
class ImportReport:
    """What became of the rows. ``present``: vouchers that were there already, with the same terms."""

    created: int = 0
    present: int = 0
    rejected: int = 0


def import_vouchers(
    path: Path,
    on_reject: Callable[[RejectedRow], object],
    on_progress: Callable[[int, int], object] = lambda done, total: None,
) -> ImportReport:
    """Create the vouchers of a file.

    Args:   on_reject: told of each row that is refused, a slice at a time, in order of lines within it.
            on_progress: told after each slice how many bytes of how many are read.
    Raises: NoText: nothing was done.
            OSError: the file cannot be read. DatabaseError. What came before is there; run it again.
    """
    report = ImportReport()
    with open_text(path) as file:
        size = size_of(file)
        rows = open_rows(numbered_lines(file), VOUCHERS)
        for some in _slices(rows.lines):
            rejects = _import_slice(some, rows.columns, report)
            report.rejected += len(rejects)
            for reject in sorted(rejects):
                on_reject(reject)
            on_progress(file.tell(), size)
    return report


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
        if terms.code in wanted:
            rejects.append(RejectedRow(number, f"code: Line {wanted[terms.code][0]} has the same."))
        else:
            wanted[terms.code] = (number, terms)
    return wanted, rejects


def _those_with_other_terms(taken: dict[str, tuple[int, VoucherTerms]]) -> list[int]:
    """Lines whose code has a voucher that is not the one in the line."""
    there = {row[0]: VoucherTerms(*row) for row in Voucher.objects.filter(code__in=taken).values_list(*COLUMNS)}
    return [number for code, (number, terms) in taken.items() if there.get(code) != terms]


def _terms(line: bytes, columns: Sequence[str]) -> VoucherTerms:
    """Of one row. Raises ValueError, naming the column."""
    fields: dict[str, Any] = dict(read_row(line, columns))
    fields |= {name: number_in(fields[name]) for name in NUMBERS if name in fields}
    try:
        terms = VoucherTerms(**read_fields(fields, VOUCHER))
        check_window(terms.starts_at, terms.expires_at)
    except InvalidInput as error:
        raise ValueError(in_words(error.errors)) from error
    return terms
