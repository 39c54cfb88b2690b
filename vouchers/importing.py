"""Vouchers from a CSV file: code, amount, limit, starts_at, expires_at; the last two may be empty.

Nothing in a row can need quotes, so a line is a row and a comma ends a field. Rows are checked one by one, as strictly
as requests, and written a slice per transaction. What is there already with the same terms is no reject, so a run that
was killed is simply run again.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from common.errors import InvalidInput
from gateway.fields import read_fields
from vouchers.creating import insert_vouchers
from vouchers.models import Voucher
from vouchers.parsing import VOUCHER, check_window
from vouchers.types import VoucherTerms

COLUMNS = ("code", "amount", "limit", "starts_at", "expires_at")
SLICE = 5_000
REJECTS_KEPT = 1_000
LONGEST_LINE = 10_000
_AMOUNT = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,20}", re.ASCII)


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
    rejects: list[RejectedRow] = field(default_factory=list)  # the first REJECTS_KEPT

    def reject(self, line: int, reason: str) -> None:
        self.rejected += 1
        if len(self.rejects) < REJECTS_KEPT:
            self.rejects.append(RejectedRow(line, reason))


def import_vouchers(path: Path, on_progress: Callable[[int], object] = lambda size: None) -> ImportReport:
    """Create the vouchers of a file.

    Args:   on_progress: told how many bytes each slice of the file had.
    Raises: OSError: the file cannot be read. DatabaseError. What came before is there; run it again.
    """
    report = ImportReport()
    with path.open("rb") as file:
        for lines in _slices(enumerate(_lines(file), 1)):
            _import_slice(lines, report)
            on_progress(sum(len(line) for _, line in lines))
    return report


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines, of which too long ones are cut: they are rejected anyway, and must not fill the memory."""
    while line := file.readline(LONGEST_LINE):
        yield line
        while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)


def _slices(lines: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    some: list[tuple[int, bytes]] = []
    for line in lines:
        some.append(line)
        if len(some) == SLICE:
            yield some
            some = []
    if some:
        yield some


def _import_slice(lines: Sequence[tuple[int, bytes]], report: ImportReport) -> None:
    wanted: dict[str, tuple[int, VoucherTerms]] = {}
    for number, line in lines:
        try:
            terms = _terms(number, line)
        except ValueError as error:
            report.reject(number, str(error))
            continue
        if terms and terms.code in wanted:
            report.reject(number, f"code: Line {wanted[terms.code][0]} has the same.")
        elif terms:
            wanted[terms.code] = (number, terms)
    made = {state.code for state in insert_vouchers([terms for _, terms in wanted.values()])}
    report.created += len(made)
    _compare({code: found for code, found in wanted.items() if code not in made}, report)


def _compare(wanted: dict[str, tuple[int, VoucherTerms]], report: ImportReport) -> None:
    """Rows whose codes were taken: present when the terms are the same, else rejected."""
    columns = ("code", "amount", "limit", "starts_at", "expires_at")
    there = {row[0]: VoucherTerms(*row) for row in Voucher.objects.filter(code__in=wanted).values_list(*columns)}
    for code, (number, terms) in wanted.items():
        if there.get(code) == terms:
            report.present += 1
        else:
            report.reject(number, "code: There is a voucher with this code and other terms.")


def _terms(number: int, line: bytes) -> VoucherTerms | None:
    """Of one row; None for blank lines and the header. Raises ValueError, naming the column."""
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as exc:
        raise ValueError("Is not UTF-8.") from exc
    values = [value.strip() for value in text.split(",")]
    if values == [""] or (number == 1 and values[0] == "code"):
        return None
    if not 3 <= len(values) <= len(COLUMNS):
        raise ValueError(f"Has {len(values)} columns, not {', '.join(COLUMNS)}.")
    fields: dict[str, Any] = {name: value for name, value in zip(COLUMNS, values, strict=False) if value}
    if _AMOUNT.fullmatch(fields.get("amount", "")):
        fields["amount"] = Decimal(fields["amount"])
    if _WHOLE.fullmatch(fields.get("limit", "")):
        fields["limit"] = int(fields["limit"])
    try:
        terms = VoucherTerms(**read_fields(fields, VOUCHER))
        check_window(terms.starts_at, terms.expires_at)
    except InvalidInput as error:
        raise ValueError(" ".join(f"{wrong.field}: {wrong.detail}" for wrong in error.errors)) from error
    return terms
