"""Rows of a file of prices, checked and written as PostgreSQL's COPY takes them."""

import csv
import re
from collections.abc import Callable, Collection
from datetime import date
from typing import NamedTuple

KNOWN_MAX = 100_000  # 10 MB
COLUMNS = ("orig_code", "dest_code", "day", "price")
_HEADER = ",".join(COLUMNS).encode()
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_PRICE = re.compile(r"(?=.*[1-9])[0-9]{1,10}(?:\.[0-9]{1,2})?", re.ASCII)


class RejectedRow(NamedTuple):
    """Attributes: line: of the file, counted from 1."""

    line: int
    reason: str


def split_row(text: str, columns: Collection[str]) -> list[str]:
    """The values of a row with these columns, without blanks around them. Raises ValueError."""
    try:
        (values,) = csv.reader([text], strict=True, skipinitialspace=True)
    except csv.Error as exc:
        raise ValueError(f"Is no row of CSV: {exc}.") from exc
    if len(values) != len(columns):
        raise ValueError(f"Has {len(values)} columns, not {', '.join(columns)}.")
    return [value.strip() for value in values]


class _Known(dict[bytes, bool]):
    """Whether a text is what ``check`` says, found out once: files repeat days and prices."""

    def __init__(self, check: Callable[[str], bool]) -> None:
        self._check = check

    def __missing__(self, raw: bytes) -> bool:
        good = self._check(raw.decode("latin-1"))
        if len(self) < KNOWN_MAX:
            self[raw] = good
        return good


def _is_day(text: str) -> bool:
    try:
        return _DAY.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_price(text: str) -> bool:
    return _PRICE.fullmatch(text) is not None


class RowReader:
    """Args: ports: ids by code; on_reject: told each row that is none, in the order of their lines.

    Attributes: lines: that were read; rejected: how many of them.
    """

    def __init__(self, ports: dict[str, int], on_reject: Callable[[RejectedRow], object]) -> None:
        self.lines = 0
        self.rejected = 0
        self._on_reject = on_reject
        self._ports = {code.encode(): b"%d" % number for code, number in ports.items()}
        self._days = _Known(_is_day)
        self._prices = _Known(_is_price)

    def read(self, block: bytes) -> list[bytes]:
        """Rows of the next whole lines, for COPY into origin_id, destination_id, day, price_usd."""
        lines = block.removesuffix(b"\n").split(b"\n")
        first_line = self.lines + 1
        self.lines += len(lines)
        rows = []
        for number, line in enumerate(lines, first_line):
            try:
                origin, destination, day, price = line.split(b",")
                if self._days[day] and self._prices[price]:
                    rows.append(b"%b\t%b\t%b\t%b\n" % (self._ports[origin], self._ports[destination], day, price))
                    continue
            except (ValueError, KeyError):
                pass
            if row := self._read_with_care(number, line):
                rows.append(row)
        return rows

    def _read_with_care(self, number: int, line: bytes) -> bytes | None:
        """A row with quotes, blanks or a carriage return; None for one that is none, with the reason kept."""
        text = line.decode("utf-8-sig", errors="replace").strip()
        if not text or (number == 1 and text.replace(" ", "").encode() == _HEADER):
            return None
        try:
            return self._checked(text)
        except ValueError as error:
            self.rejected += 1
            self._on_reject(RejectedRow(number, str(error)))
            return None

    def _checked(self, text: str) -> bytes:
        """Raises ValueError, naming the columns at fault."""
        origin, destination, day, price = (value.encode(errors="replace") for value in split_row(text, COLUMNS))
        if wrong := self._wrong(origin, destination, day, price):
            raise ValueError(" ".join(wrong))
        return b"%b\t%b\t%b\t%b\n" % (self._ports[origin], self._ports[destination], day, price)

    def _wrong(self, origin: bytes, destination: bytes, day: bytes, price: bytes) -> list[str]:
        wrong = []
        for column, code in (("orig_code", origin), ("dest_code", destination)):
            if code not in self._ports:
                wrong.append(f"{column}: There is no port {code.decode(errors='replace')[:20]}.")
        if not self._days[day]:
            wrong.append("day: Must be a day of the calendar like 2026-11-21.")
        if not self._prices[price]:
            wrong.append("price: Must be a number above 0 and below 10,000,000,000 with at most 2 decimal places.")
        return wrong
