"""Reads ids, prices and dates of many rows at once, with eight bytes of each row in one machine word.

Each reader answers values and flags. It may accept only what ``rowtext`` accepts, with the same values; what it does
not accept may still be good.
"""

import numpy as np
from numpy.typing import NDArray

from promotions.rows.rowtext import INSTANT_BYTES, MILLION, SECONDS_OF_DAY, parse_tail

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

REACH_BYTES = 48  # the windows read for one row end within this distance of its second comma: room behind the last

_DOT = ord(".")
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
_ONES = _word("\1" * 8)
_DOTS, _BEYOND_DOT = _word("." * 8), _beyond("." * 8)
_PLACES_2, _HYPHENS_2 = _word("\xff\0\0\0\0\xff\0\0"), _word("-\0\0\0\0-\0\0")  # of an id's second eight bytes
_PLACES_3, _HYPHENS_3 = _word("\0\0\xff\0\0\0\0\xff"), _word("\0\0-\0\0\0\0-")
_DATE, _BEYOND_DATE = _word("0000-00-"), _beyond("0000-00-")
_DAY_HOUR, _BEYOND_DAY_HOUR = _word("00 00:00"), _beyond("00 00:00")
_CLOCK, _BEYOND_CLOCK = _word(":00:00:0"), _beyond(":00:00:0")
_SEPARATOR, _T = _word("\0\0\xff\0\0\0\0\0"), _word("\0\0T\0\0\0\0\0")
_T_LESS_SPACE = np.uint64((ord("T") - ord(" ")) << 16)

_MONTHS = np.arange(np.datetime64("0000-01"), np.datetime64("10000-02"))  # by year * 12 + month - 1
_FIRST_DAYS = _MONTHS.astype("M8[D]").astype(np.int64)
_DAYS_BEFORE = (_FIRST_DAYS[:-1] - np.datetime64("2000-01-02", "D").astype(np.int64)).astype(np.int32)
_MONTH_DAYS = np.diff(_FIRST_DAYS).astype(np.uint8)
_MONTH_DAYS[: 2 * 12] = 0  # years 0 and 1, and 9999 and later, are left to the slow path
_MONTH_DAYS[9999 * 12 :] = 0


def read_ids(text: Bytes, starts: Integers) -> tuple[Bytes, Flags]:
    """UUIDs of 36 characters from printable ASCII."""
    first, second, third, fourth, fifth = _windows(text, starts, 40).T
    good = ((second & _PLACES_2) == _HYPHENS_2) & ((third & _PLACES_3) == _HYPHENS_3)
    packed = np.empty((len(starts), 4), np.uint64)
    packed[:, 0] = first
    packed[:, 1] = (second >> _U8) & _LOW_HALF | second >> _U48 << _U32 | third << _U48
    packed[:, 2] = (third >> _U24) & _LOW_HALF | fourth << _U32
    packed[:, 3] = fourth >> _U32 | fifth << _U32
    digits = packed.view(np.uint8)
    hexadecimal = (digits - np.uint8(48) < 10) | ((digits | np.uint8(32)) - np.uint8(97) < 6)
    a, b, c, d = hexadecimal.view(np.uint64).T
    good &= a & b & c & d == _ONES
    pairs = ((digits & 15) + 9 * (digits >> 6)).view("<u2")
    return (pairs << 4 | pairs >> 8).astype(np.uint8), good


def read_prices(text: Bytes, starts: Integers, ends: Integers) -> tuple[Integers, Flags]:
    """Prices of at most 8 integer digits and 6 places from printable ASCII."""
    last = _windows(text, ends - 8, 8)[:, 0]
    dots = ~((last ^ _DOTS) + _BEYOND_DOT) & _HIGH_BITS
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


def read_dates(text: Bytes, starts: Integers, ends: Integers) -> tuple[Integers, Flags]:
    """Instants of the years 2-9998 from printable ASCII: the others could leave the calendar in UTC."""
    first, second, third = _windows(text, starts, 24).T
    seconds, good = _read_instants(first, second, third)
    tails, fraction_us, good_fractions = _split_fractions(text, starts + INSTANT_BYTES, third)
    offset_us, good_tails = _read_tails(text, tails, ends)
    good &= good_fractions & good_tails
    return seconds * MILLION + fraction_us - offset_us, good


def _read_instants(first: Words, second: Words, third: Words) -> tuple[Integers, Flags]:
    """Seconds since 2000 of ``YYYY-MM-DD HH:MM:SS`` without regard to the offset."""
    is_t = (second & _SEPARATOR) == _T
    first = first ^ _DATE
    second = (second - is_t * _T_LESS_SPACE) ^ _DAY_HOUR
    third = (third ^ _CLOCK) & np.uint64(0xFFFFFF)
    wrong = first + _BEYOND_DATE | second + _BEYOND_DAY_HOUR | third + _BEYOND_CLOCK
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
    is_open = (lengths > 0) & (lengths <= _TAIL_BYTES)
    for _ in range(_MAX_TAILS):
        if not is_open.any():
            break
        row = is_open.argmax()
        same = is_open & (low == low[row]) & (high == high[row])
        tail = parse_tail(text[starts[row] : ends[row]].tobytes())
        if tail is not None and not tail.fraction_us:
            offset_us += same * (tail.offset_seconds * MILLION)
            good |= same
        is_open ^= same
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


def _windows(text: Bytes, places: Integers, width: int) -> Words:
    """(n, width / 8) words: the ``width`` bytes from each place on, first byte lowest."""
    if not len(places):  # the text may be shorter than a window
        return np.empty((0, width // 8), np.uint64)
    every_place = np.ndarray((len(text) - width + 1,), f"V{width}", text, strides=(1,))
    return every_place[places].view("<u8").reshape(len(places), width // 8)
