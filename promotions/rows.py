"""Reads a block of promotions text into arrays.

Fast accept, slow explain: a vectorised pass accepts lines in the usual layouts, with eight bytes of each line in one
machine word; all others go to ``rowtext.parse_line`` one by one, ten times as slow. A CSV engine does not fit: it drops
or joins rows around a stray quote, and tells neither line number nor reason. 0.25 to 0.45 microseconds a row (2026-11).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from promotions.rowtext import (
    COLUMNS,
    INSTANT_BYTES,
    MAX_LINE_BYTES,
    MILLION,
    SECONDS_OF_DAY,
    Problem,
    Reason,
    Row,
    parse_line,
    parse_tail,
)

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

RAW_BYTES = 1024

_COMMA, _NEWLINE, _RETURN, _DOT = b",\n\r."
_ID_BYTES = 36
_REACH_BYTES = 48  # the windows read for one row end within this distance of its second comma: room behind the last
_TAIL_BYTES = 16
_MAX_TAILS = 64  # distinct ends ("+0200 CEST") worth one comparison each per block


def _word(text: str) -> np.uint64:
    """Eight characters as a machine word, the first one lowest."""
    return np.uint64(int.from_bytes(text.encode("latin-1"), "little"))


def _beyond(pattern: str) -> np.uint64:
    """Added to ``word ^ pattern``, sets the high bit of each byte that is no digit for a 0, or not the pattern's."""
    return _word("".join("\x76" if character == "0" else "\x7f" for character in pattern))


_U8, _U24, _U32, _U48 = (np.uint64(bits) for bits in (8, 24, 32, 48))
_LOW_HALF = np.uint64(0xFFFFFFFF)
_HIGH_BITS = _word("\x80" * 8)
_ZEROS = _word("00000000")
_BEYOND_DIGIT = _beyond("00000000")
_HYPHENS_2 = _word("\xff\0\0\0\0\xff\0\0")
_HYPHENS_3 = _word("\0\0\xff\0\0\0\0\xff")
_SEPARATOR = _word("\0\0\xff\0\0\0\0\0")
_T_LESS_SPACE = np.uint64((ord("T") - ord(" ")) << 16)

_MONTHS = np.arange(np.datetime64("0000-01"), np.datetime64("10000-02"))  # by year * 12 + month - 1
_FIRST_DAYS = _MONTHS.astype("M8[D]").astype(np.int64)
_DAYS_BEFORE = (_FIRST_DAYS[:-1] - np.datetime64("2000-01-02", "D").astype(np.int64)).astype(np.int32)
_MONTH_DAYS = np.diff(_FIRST_DAYS).astype(np.uint8)
_MONTH_DAYS[: 2 * 12] = 0  # years 0 and 1, and 9999 and later, are left to the slow path
_MONTH_DAYS[9999 * 12 :] = 0


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line that is no row."""

    line: int  # physical line, from 1
    offset: int  # byte offset of the line in the source
    column: str  # "" when the line as a whole is at fault
    reason: Reason
    detail: str  # for people
    raw: str  # the first 1,024 bytes; what PostgreSQL cannot store is shown as \x..


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
    """Where each line of a block starts and ends (its newline, or the end of the text)."""

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


class _Clean(NamedTuple):
    """Lines of printable ASCII with two commas, the first one behind 36 bytes."""

    lines: Integers
    starts: Integers
    second_commas: Integers
    ends: Integers  # without a carriage return


def parse_block(data: bytes | memoryview, first_line: int, offset: int, keep_rejects: int) -> Block:
    """Parse whole lines; the last newline may be missing.

    Args: data: lines, best ``planning.BLOCK_BYTES`` of them. first_line: number of the first one in the source.
          offset: its byte there. keep_rejects: how many rejects to describe; further ones are only counted.
    """
    padded = np.zeros(len(data) + _REACH_BYTES, np.uint8)
    padded[: len(data)] = np.frombuffer(data, np.uint8)
    lines, clean = _split_lines(padded[: len(data)])
    accepted = _accept(padded, clean)
    others = np.ones(len(lines.starts), np.bool_)
    others[accepted.lines] = False
    explained, others_found = _explain(data, lines, np.flatnonzero(others), keep_rejects)
    rows = _merge(accepted, explained)
    return Block(
        *(rows.ids, rows.price_micros, rows.expires_us, rows.lines + first_line),
        rejects=[_reject(data, lines, problem, first_line, offset) for problem in others_found.problems],
        reasons=others_found.reasons,
        blank=others_found.blank,
        line_count=len(others),
    )


def _split_lines(text: Bytes) -> tuple[_Lines, _Clean]:
    marks = np.flatnonzero((text - np.uint8(32) > 94) | (text == _COMMA))
    kinds = text[marks]
    newlines = np.flatnonzero(kinds == _NEWLINE)
    ends = marks[newlines]
    starts = np.concatenate((np.zeros(1, np.int64), ends + 1))
    clean = _clean_lines(marks, kinds, newlines, starts)
    if starts[-1] == len(text):
        return _Lines(starts[:-1], ends), clean
    return _Lines(starts, np.append(ends, len(text))), clean


def _clean_lines(marks: Integers, kinds: Bytes, newlines: Integers, starts: Integers) -> _Clean:
    if len(marks) < len(COLUMNS):  # too few for a row; places before the first one would leave the arrays
        nothing = np.empty(0, np.int64)
        return _Clean(nothing, nothing, nothing, nothing)
    starts = starts[: len(newlines)]
    returned = kinds[newlines - 1] == _RETURN
    lasts = newlines - returned
    clean = np.diff(newlines, prepend=-1) - returned == 3
    clean &= (kinds[lasts - 1] == _COMMA) & (kinds[lasts - 2] == _COMMA)
    clean &= (marks[lasts] + returned == marks[newlines]) & (marks[lasts - 2] == starts + _ID_BYTES)
    lines = np.flatnonzero(clean)
    lasts = lasts[lines]
    return _Clean(lines, starts[lines], marks[lasts - 1], marks[lasts])


def _windows(text: Bytes, places: Integers, width: int) -> Words:
    """(n, width / 8) words: the ``width`` bytes from each place on, first byte lowest."""
    if not len(places):  # the text may be shorter than a window
        return np.empty((0, width // 8), np.uint64)
    every_place = np.ndarray((len(text) - width + 1,), f"V{width}", text, strides=(1,))
    return every_place[places].view("<u8").reshape(len(places), width // 8)


def _accept(text: Bytes, clean: _Clean) -> _Rows:
    ids, good = _read_ids(_windows(text, clean.starts, 40))
    price_micros, good_prices = _read_prices(text, clean.starts + _ID_BYTES + 1, clean.second_commas)
    expires_us, good_dates = _read_dates(text, clean.second_commas + 1, clean.ends)
    good &= good_prices & good_dates
    if good.all():
        return _Rows(clean.lines, ids, price_micros, expires_us)
    return _Rows(clean.lines[good], ids[good], price_micros[good], expires_us[good])


def _read_ids(words: Words) -> tuple[Bytes, Flags]:
    """UUIDs from windows of 40 bytes of printable ASCII."""
    first, second, third, fourth, fifth = words.T
    good = (second & _HYPHENS_2 == _HYPHENS_2 & _word("--------")) & (
        third & _HYPHENS_3 == _HYPHENS_3 & _word("--------")
    )
    packed = np.empty((len(words), 4), np.uint64)
    packed[:, 0] = first
    packed[:, 1] = (second >> _U8) & _LOW_HALF | second >> _U48 << _U32 | third << _U48
    packed[:, 2] = (third >> _U24) & _LOW_HALF | fourth << _U32
    packed[:, 3] = fourth >> _U32 | fifth << _U32
    digits = packed.view(np.uint8)
    hexadecimal = (digits - np.uint8(48) < 10) | ((digits | np.uint8(32)) - np.uint8(97) < 6)
    a, b, c, d = hexadecimal.view(np.uint64).T
    good &= a & b & c & d == _word("\1" * 8)
    pairs = ((digits & 15) + 9 * (digits >> 6)).view("<u2")
    return (pairs << 4 | pairs >> 8).astype(np.uint8), good


def _read_prices(text: Bytes, starts: Integers, ends: Integers) -> tuple[Integers, Flags]:
    """Prices of at most 8 integer digits and 6 places from printable ASCII."""
    last = _windows(text, ends - 8, 8)[:, 0]
    dots = ~((last ^ _word("." * 8)) + _word("\x7f" * 8)) & _HIGH_BITS
    has_dot = dots != 0
    place_bits = np.uint64(64) - np.bitwise_count(dots ^ (dots - np.uint64(1)))  # 8 for each byte behind the first dot
    good = (place_bits <= 48) & ((place_bits > 0) | ~has_dot)
    whole_ends = ends - has_dot - (place_bits >> np.uint64(3)).view(np.int64)
    whole_bits = 8 * (whole_ends - starts)
    good &= (whole_bits >= 8) & (whole_bits <= 64)
    unused = (64 - whole_bits).view(np.uint64)
    whole = (_windows(text, whole_ends - 8, 8)[:, 0] ^ _ZEROS) >> unused << unused
    places = (last ^ _ZEROS) >> np.uint64(1) >> (np.uint64(63) - place_bits) << np.uint64(16)
    good &= ((whole + _BEYOND_DIGIT) | (places + _BEYOND_DIGIT)) & _HIGH_BITS == 0
    return (_number(whole) * np.uint64(MILLION) + _number(places)).view(np.int64), good


def _read_dates(text: Bytes, starts: Integers, ends: Integers) -> tuple[Integers, Flags]:
    """Instants of the years 2-9998 from printable ASCII: the others could leave the calendar in UTC."""
    first, second, third = _windows(text, starts, 24).T
    seconds, good = _read_instants(first, second, third)
    tails, fraction_us, good_fractions = _split_fractions(text, starts + INSTANT_BYTES, third)
    offset_us, good_tails = _read_tails(text, tails, ends)
    good &= good_fractions & good_tails
    return seconds * MILLION + fraction_us - offset_us, good


def _read_instants(first: Words, second: Words, third: Words) -> tuple[Integers, Flags]:
    """Seconds since 2000 of ``YYYY-MM-DD HH:MM:SS`` without regard to the offset."""
    is_t = (second & _SEPARATOR) == _SEPARATOR & _word("TTTTTTTT")
    first = first ^ _word("0000-00-")
    second = (second - is_t * _T_LESS_SPACE) ^ _word("00 00:00")
    third = (third ^ _word(":00:00:0")) & np.uint64(0xFFFFFF)
    wrong = first + _beyond("0000-00-") | second + _beyond("00 00:00") | third + _beyond(":00:00:0")
    first, second, third = (digits * np.uint64(10) + (digits >> _U8) for digits in (first, second, third))
    month, day = _byte(first, 5), _byte(second, 0)
    hour, minute, second_of_minute = _byte(second, 3), _byte(second, 6), _byte(third, 1)
    months = _byte(first, 0) * 1200 + _byte(first, 2) * 12 + month - 1
    good = (wrong & _HIGH_BITS == 0) & (month >= 1) & (month <= 12) & (hour < 24) & (minute < 60)
    good &= (second_of_minute < 60) & (day >= 1) & (day <= _MONTH_DAYS.take(months, mode="clip"))
    days = _DAYS_BEFORE.take(months, mode="clip") + day
    return days * SECONDS_OF_DAY + hour * 3600 + minute * 60 + second_of_minute, good


def _split_fractions(text: Bytes, starts: Integers, third: Words) -> tuple[Integers, Integers | int, Flags | bool]:
    """Where the tails without their fractions start, and the microseconds of fractions up to 7 digits."""
    has_fraction = np.flatnonzero(_byte(third, 3) == _DOT)
    if not len(has_fraction):
        return starts, 0, True
    digits = _windows(text, starts[has_fraction] + 1, 8)[:, 0] ^ _ZEROS
    others = (digits + _BEYOND_DIGIT) & _HIGH_BITS
    bits = np.bitwise_count(others ^ (others - np.uint64(1))).astype(np.uint64) - np.uint64(8)
    tails, fraction_us, good = starts.copy(), np.zeros(len(starts), np.int64), np.ones(len(starts), np.bool_)
    tails[has_fraction] += (bits >> np.uint64(3)).view(np.int64) + 1
    unused = np.uint64(63) - bits
    fraction_us[has_fraction] = _number(digits << unused << np.uint64(1) >> np.uint64(1) >> unused << np.uint64(16))
    good[has_fraction] = (bits > 0) & (others != 0)
    return tails, fraction_us, good


def _read_tails(text: Bytes, starts: Integers, ends: Integers) -> tuple[Integers, Flags]:
    """Offsets in microseconds. A file has few distinct tails; ``parse_tail`` reads each of them once per block."""
    lengths = ends - starts
    low, high = _windows(text, starts, _TAIL_BYTES).T
    low, high = _keep_bytes(low, lengths), _keep_bytes(high, lengths - 8)
    offset_us, good = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.bool_)
    open_rows = np.flatnonzero((lengths > 0) & (lengths <= _TAIL_BYTES))
    for _ in range(_MAX_TAILS):
        if not len(open_rows):
            break
        row = open_rows[0]
        same = (low[open_rows] == low[row]) & (high[open_rows] == high[row])
        tail = parse_tail(text[starts[row] : ends[row]].tobytes())
        if tail is not None and not tail.fraction_us:
            offset_us[open_rows[same]] = tail.offset_seconds * MILLION
            good[open_rows[same]] = True
        open_rows = open_rows[~same]
    return offset_us, good


def _keep_bytes(words: Words, lengths: Integers) -> Words:
    unused = (64 - 8 * lengths.clip(0, 8)).astype(np.uint64)
    return words << unused >> unused


def _number(digits: Words) -> Words:
    """The number that 8 digits make, each in one byte, the most significant in the lowest."""
    digits = digits * np.uint64(10) + (digits >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    digits = digits * np.uint64(100) + (digits >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    return digits * np.uint64(10_000) + (digits >> np.uint64(32)) & np.uint64(0xFFFFFFFF)


def _byte(words: Words, place: int) -> Integers:
    return (words >> np.uint64(8 * place) & np.uint64(0xFF)).view(np.int64)


def _explain(data: bytes | memoryview, lines: _Lines, others: Integers, keep: int) -> tuple[_Rows, _Others]:
    """Read the given lines one by one."""
    rows: list[Row] = []
    places: list[int] = []
    found_others = _Others([], Counter(), 0)
    for place in others.tolist():
        start, end = int(lines.starts[place]), int(lines.ends[place])
        found = parse_line(bytes(data[start : min(end, start + MAX_LINE_BYTES + 1)]), end - start)
        if isinstance(found, Row):
            rows.append(found)
            places.append(place)
        elif isinstance(found, Problem):
            found_others.reasons[found.reason.value] += 1
            if len(found_others.problems) < keep:
                found_others.problems.append((place, found))
        else:
            found_others.blank += 1
    return _as_arrays(places, rows), found_others


def _reject(
    data: bytes | memoryview, lines: _Lines, found: tuple[int, Problem], first_line: int, offset: int
) -> RejectedLine:
    place, problem = found
    start, end = int(lines.starts[place]), int(lines.ends[place])
    return RejectedLine(
        first_line + place, offset + start, *problem, _storable(data[start : min(end, start + RAW_BYTES)])
    )


def _storable(raw: bytes | memoryview) -> str:
    return bytes(raw).decode(errors="backslashreplace").replace("\0", "\\x00")


def _as_arrays(places: list[int], rows: list[Row]) -> _Rows:
    ids = np.frombuffer(b"".join(row.id for row in rows), np.uint8).reshape(-1, 16)
    prices = np.array([row.price_micros for row in rows], np.int64)
    expiries = np.array([row.expires_us for row in rows], np.int64)
    return _Rows(np.array(places, np.int64), ids, prices, expiries)


def _merge(accepted: _Rows, explained: _Rows) -> _Rows:
    """Both in file order."""
    if not len(explained.lines):
        return accepted
    order = np.argsort(np.concatenate((accepted.lines, explained.lines)), kind="stable")
    pairs: Iterator[tuple[NDArray[Any], NDArray[Any]]] = zip(accepted, explained, strict=True)
    return _Rows(*(np.concatenate(pair)[order] for pair in pairs))
