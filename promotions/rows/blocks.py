"""Reads a block of promotions text into arrays.

Fast accept, slow explain: a vectorised pass accepts lines in the usual layouts (``rowwords``); all others go to
``rowtext.parse_line`` one by one, thirty times as slow. A CSV engine does not fit: it drops or joins rows around a
stray quote, and tells neither line number nor reason. 0.13 to 0.25 microseconds a row (2026-11).

Where lines end is said in ``common.text.lines``; of the CRs that may stand before an LF, the fast pass knows one.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.text.lines import end_by_newlines
from promotions.rows.rowtext import COLUMNS, Problem, RejectedLine, Row, parse_line
from promotions.rows.rowwords import REACH_BYTES, Bytes, Flags, Integers, read_dates, read_ids, read_prices

RAW_BYTES = 1024

_COMMA, _QUOTE, _NEWLINE, _RETURN = b',"\n\r'
_ID_BYTES = 36


@dataclass(frozen=True, slots=True)
class Block:
    """What a block of lines holds: n good rows in file order and what became of the other lines."""

    ids: Bytes  # (n, 16)
    price_micros: Integers  # (n,) millionths
    expires_us: Integers  # (n,) microseconds since 2000-01-01T00:00:00Z
    lines: Integers  # (n,) physical line numbers
    rejects: list[RejectedLine]  # the first ones, as many as were asked for
    reasons: Counter[str]  # of all rejects
    blank: int
    line_count: int  # n + reasons.total() + blank


class _Lines(NamedTuple):
    """Where each line of a block starts and ends (its newline or lone CR, or the end of the text)."""

    starts: Integers
    ends: Integers


class _Rows(NamedTuple):
    """Good rows, with lines counted from 0 at the block's start."""

    lines: Integers
    ids: Bytes
    price_micros: Integers
    expires_us: Integers


@dataclass(slots=True)
class _Others:
    """What became of the lines that are no rows."""

    problems: list[tuple[int, Problem]]  # the first ones, each with its line in the block
    reasons: Counter[str]
    blank: int


class _Marks(NamedTuple):
    """Commas and what is no printable ASCII, in order."""

    positions: Integers  # in the text
    kinds: Bytes
    newlines: Integers  # which of them are newlines
    returned: Flags  # for each newline: a CR stands right before it

    @classmethod
    def of(cls, text: Bytes, positions: Integers) -> "_Marks":
        kinds = text[positions]
        newlines = np.flatnonzero(kinds == _NEWLINE)
        return cls(positions, kinds, newlines, text.take(positions[newlines] - 1, mode="clip") == _RETURN)

    @property
    def has_other_ends(self) -> bool:
        """Whether a CR stands elsewhere: alone, or before another one."""
        return bool(np.count_nonzero(self.kinds == _RETURN) != np.count_nonzero(self.returned))


class _Clean(NamedTuple):
    """Lines of printable ASCII with two commas, the first one behind 36 bytes; the columns without their quotes."""

    lines: Integers
    ids: Integers
    prices: Integers
    price_ends: Integers
    dates: Integers
    date_ends: Integers  # without a carriage return


_NOTHING_CLEAN = _Clean(*[np.empty(0, np.int64)] * 6)


def parse_block(
    data: bytes | memoryview, first_line: int, offset: int, keep_rejects: int, columns: tuple[str, ...] = COLUMNS
) -> Block:
    """Parse whole lines; the end of the last one may be missing.

    Args: data: lines, best ``planning.BLOCK_BYTES`` of them. first_line: number of the first one in the source.
          offset: its byte there. keep_rejects: how many rejects to describe; further ones are only counted.
          columns: their names in the order of the source; any but that of COLUMNS leaves all to the slow pass.
    """
    padded = np.empty(len(data) + REACH_BYTES, np.uint8)
    padded[: len(data)] = np.frombuffer(data, np.uint8)
    padded[len(data) :] = 0
    lines, clean = _split_lines(padded[: len(data)])
    accepted = _accept(padded, clean if columns == COLUMNS else _NOTHING_CLEAN)
    others = np.ones(len(lines.starts), np.bool_)
    others[accepted.lines] = False
    explained, others_found = _explain(data, lines, np.flatnonzero(others), keep_rejects, columns)
    rows = _merge(accepted, explained)
    return Block(
        *(rows.ids, rows.price_micros, rows.expires_us, rows.lines + first_line),
        rejects=[_reject(data, lines, problem, first_line, offset) for problem in others_found.problems],
        reasons=others_found.reasons,
        blank=others_found.blank,
        line_count=len(others),
    )


def _split_lines(text: Bytes) -> tuple[_Lines, _Clean]:
    """The lines of ``text``, in which each end becomes a newline."""
    is_mark = text - np.uint8(32) > 94
    is_mark |= text == _COMMA
    marks = _Marks.of(text, np.flatnonzero(is_mark))
    if marks.has_other_ends:
        text[:] = np.frombuffer(end_by_newlines(text.tobytes()), np.uint8)
        marks = _Marks.of(text, marks.positions)
    ends = marks.positions[marks.newlines]
    starts = np.concatenate((np.zeros(1, np.int64), ends + 1))
    clean = _clean_lines(text, marks, starts[:-1])
    if starts[-1] == len(text):
        return _Lines(starts[:-1], ends), clean
    return _Lines(starts, np.append(ends, len(text))), clean


def _clean_lines(text: Bytes, marks: _Marks, starts: Integers) -> _Clean:
    positions, kinds, newlines, returned = marks
    if len(positions) < len(COLUMNS):  # too few for a row; positions before the first one would leave the arrays
        return _NOTHING_CLEAN
    lasts = newlines - returned
    clean = np.diff(newlines, prepend=-1) - returned == 3
    clean &= (kinds[lasts - 1] == _COMMA) & (kinds[lasts - 2] == _COMMA)
    id_bytes = positions[lasts - 2] - starts
    is_quoted = id_bytes == _ID_BYTES + 2
    clean &= (id_bytes == _ID_BYTES) | is_quoted
    lines = np.flatnonzero(clean)
    firsts, seconds, ends = (positions[lasts[lines] - back] for back in (2, 1, 0))
    found = _Clean(lines, starts[lines], firsts + 1, seconds, seconds + 1, ends)
    return _unquote(text, found) if is_quoted.any() else found


def _unquote(text: Bytes, clean: _Clean) -> _Clean:
    """Without the lines that have a quote at one end of a column only; quotes within it are the readers' to refuse."""
    starts = np.stack((clean.ids, clean.prices, clean.dates))
    ends = np.stack((clean.prices - 1, clean.price_ends, clean.date_ends))
    quoted = text[starts] == _QUOTE
    good = ((text[ends - 1] == _QUOTE) == quoted).all(axis=0)
    starts, ends = starts + quoted, ends - quoted
    good &= ends[0] - starts[0] == _ID_BYTES
    (ids, prices, dates), (_, price_ends, date_ends) = starts[:, good], ends[:, good]
    return _Clean(clean.lines[good], ids, prices, price_ends, dates, date_ends)


def _accept(text: Bytes, clean: _Clean) -> _Rows:
    ids, good = read_ids(text, clean.ids)
    price_micros, good_prices = read_prices(text, clean.prices, clean.price_ends)
    expires_us, good_dates = read_dates(text, clean.dates, clean.date_ends)
    good &= good_prices & good_dates
    if good.all():
        return _Rows(clean.lines, ids, price_micros, expires_us)
    return _Rows(clean.lines[good], ids[good], price_micros[good], expires_us[good])


def _explain(
    data: bytes | memoryview, lines: _Lines, others: Integers, keep: int, columns: tuple[str, ...]
) -> tuple[_Rows, _Others]:
    """Read the given lines one by one."""
    rows: list[Row] = []
    indexes: list[int] = []
    found_others = _Others([], Counter(), 0)
    bounds = zip(others.tolist(), lines.starts[others].tolist(), lines.ends[others].tolist(), strict=True)
    for index, start, end in bounds:
        found = parse_line(bytes(data[start:end]), columns)
        if isinstance(found, Row):
            rows.append(found)
            indexes.append(index)
        elif isinstance(found, Problem):
            found_others.reasons[found.reason.value] += 1
            if len(found_others.problems) < keep:
                found_others.problems.append((index, found))
        else:
            found_others.blank += 1
    return _as_arrays(indexes, rows), found_others


def _reject(
    data: bytes | memoryview, lines: _Lines, found: tuple[int, Problem], first_line: int, offset: int
) -> RejectedLine:
    index, problem = found
    start, end = int(lines.starts[index]), int(lines.ends[index])
    raw = bytes(data[start : min(end, start + RAW_BYTES)]).rstrip(b"\r")
    return RejectedLine(first_line + index, offset + start, *problem, _storable(raw))


def _storable(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace").replace("\0", "\\x00")


def _as_arrays(indexes: list[int], rows: list[Row]) -> _Rows:
    ids = np.frombuffer(b"".join(row.id for row in rows), np.uint8).reshape(-1, 16)
    prices = np.array([row.price_micros for row in rows], np.int64)
    expiries = np.array([row.expires_us for row in rows], np.int64)
    return _Rows(np.array(indexes, np.int64), ids, prices, expiries)


def _merge(accepted: _Rows, explained: _Rows) -> _Rows:
    """Both in file order."""
    if not len(explained.lines):
        return accepted
    order = np.argsort(np.concatenate((accepted.lines, explained.lines)), kind="stable")
    pairs: Iterator[tuple[NDArray[Any], NDArray[Any]]] = zip(accepted, explained, strict=True)
    return _Rows(*(np.concatenate(pair)[order] for pair in pairs))
