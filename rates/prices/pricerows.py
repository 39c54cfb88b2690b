"""Rows of a file of prices, checked and written as PostgreSQL's COPY takes them."""

import re
from collections.abc import Callable, Mapping
from datetime import date

from common.text.csvrows import RejectedRow, Rows, Table, read_row
from common.text.numbers import number_in
from common.text.textfiles import lines_of

KNOWN_MAX = 100_000  # 10 MB
_CODE = re.compile(rb"[A-Z0-9]{5}")
_DAY = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PRICE = re.compile(rb"(?=.*[1-9])[0-9]{1,10}(?:\.[0-9]{1,2}0{0,20})?")


def _check_first(values: Mapping[str, str]) -> None:
    """Raises ValueError: day or price, good or bad, do not look like one, as no names of columns do."""
    price = values.get("price", "")
    if not _DAY.fullmatch(values.get("day", "").encode()):
        raise ValueError(_fault("day", b""))
    if number_in(price) == price:
        raise ValueError(_fault("price", b""))


PRICES = Table(("orig_code", "dest_code", "day", "price"), _check_first)
STAGED = {"orig_code": "origin_id", "dest_code": "destination_id", "day": "day", "price": "price_usd"}


class _Known(dict[bytes, bytes]):
    """Each text that is what ``check`` says, found out once: files repeat days and prices."""

    def __init__(self, check: Callable[[bytes], bool]) -> None:
        self._check = check

    def __missing__(self, raw: bytes) -> bytes:
        """Raises KeyError."""
        if not self._check(raw):
            raise KeyError(raw)
        if len(self) < KNOWN_MAX:
            self[raw] = raw
        return raw


def _is_day(raw: bytes) -> bool:
    try:
        return _DAY.fullmatch(raw) is not None and bool(date.fromisoformat(raw.decode()))
    except ValueError:
        return False


def _is_price(raw: bytes) -> bool:
    return _PRICE.fullmatch(raw) is not None


class RowReader:
    """Args: rows: of the file; ports: ids by code; on_reject: told each row that is none, in the order of their lines.

    Attributes: columns: of ``read``, as the staging table calls them; lines: that were read; rejected: how many.
    """

    def __init__(self, rows: Rows, ports: Mapping[str, int], on_reject: Callable[[RejectedRow], object]) -> None:
        self.columns = [STAGED[name] for name in rows.columns]
        self.lines = 0
        self.rejected = 0
        self._rows = rows
        self._on_reject = on_reject
        ids = {code.encode(): b"%d" % number for code, number in ports.items()}
        kinds = {"orig_code": ids, "dest_code": ids, "day": _Known(_is_day), "price": _Known(_is_price)}
        self._known = [kinds[name] for name in rows.columns]

    def read(self, block: bytes) -> list[bytes]:
        """Rows of the next whole lines, for COPY into ``columns``."""
        lines = lines_of(block)
        first_line = self.lines + 1
        self.lines += len(lines)
        first, second, third, fourth = self._known
        rows = []
        for number, line in enumerate(lines, first_line):
            try:
                a, b, c, d = line.split(b",")
                rows.append(b"%b\t%b\t%b\t%b\n" % (first[a], second[b], third[c], fourth[d]))
            except (ValueError, KeyError):
                if row := self._read_with_care(number, line):
                    rows.append(row)
        return rows

    def _read_with_care(self, number: int, line: bytes) -> bytes | None:
        """A row with quotes or blanks; None for one that is none, with the reason told."""
        if number < self._rows.first or not line.strip():
            return None
        try:
            return self._checked(line)
        except ValueError as error:
            self.rejected += 1
            self._on_reject(RejectedRow(number, str(error)))
            return None

    def _checked(self, line: bytes) -> bytes:
        """Raises ValueError, naming the columns at fault."""
        values = read_row(line, self._rows.columns)
        raw = [values.get(name, "").encode() for name in self._rows.columns]
        wrong = []
        for name, text, known in zip(self._rows.columns, raw, self._known, strict=True):
            try:
                known[text]
            except KeyError:
                wrong.append(_fault(name, text))
        if wrong:
            raise ValueError(" ".join(wrong))
        return b"\t".join(known[text] for text, known in zip(raw, self._known, strict=True)) + b"\n"


def _fault(column: str, text: bytes) -> str:
    if column == "day":
        return "day: Must be a day of the calendar like 2026-11-21."
    if column == "price":
        return (
            "price: Must be digits like 1200.50, with a point before at most 2 decimal places,"
            " above 0 and below 10,000,000,000."
        )
    if _CODE.fullmatch(text):
        return f"{column}: There is no port {text.decode()}."
    return f"{column}: Must be a port code: 5 of A-Z and 0-9."
