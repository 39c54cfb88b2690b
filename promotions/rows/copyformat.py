"""Encodes good rows as PostgreSQL's COPY BINARY, whole blocks at once.

psycopg's ``write_row`` costs a microsecond and more for each row; one packed structure filled column by column costs a
twentieth. The columns are those of ``tables.COPY_COLUMNS``.
"""

import numpy as np
from numpy.typing import NDArray

from promotions.rows.blocks import Block

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # flags, length of the header extension
TRAILER = b"\xff\xff"

# Price as 3 integer and 2 fraction digits to the base 10,000; the server drops the zeros at both ends.
_DIGITS, _WEIGHT, _POSITIVE, _PLACES = 5, 2, 0, 6
_TUPLE = np.dtype(
    [
        ("columns", ">i2"),
        ("id_length", ">i4"),
        ("id", "V16"),
        ("expiration_date_length", ">i4"),
        ("expiration_date", ">i8"),
        ("line_length", ">i4"),
        ("line", ">i8"),
        ("price_length", ">i4"),
        ("price_format", ">i2", (4,)),
        ("price", ">i2", (_DIGITS,)),
    ]
)
_EMPTY_TUPLE = np.array(
    [(4, 16, b"", 8, 0, 8, 0, 8 + 2 * _DIGITS, (_DIGITS, _WEIGHT, _POSITIVE, _PLACES), (0,) * _DIGITS)], _TUPLE
)


def encode_rows(block: Block, selection: NDArray[np.bool_] | None = None) -> memoryview:
    """COPY BINARY tuples, without HEADER and TRAILER, of all rows of a block or of a selection (a mask)."""
    rows = slice(None) if selection is None else selection
    expires_us = block.expires_us[rows]
    tuples = np.repeat(_EMPTY_TUPLE, len(expires_us))
    tuples["id"] = block.ids[rows].view("V16")[:, 0]
    tuples["expiration_date"] = expires_us
    tuples["line"] = block.lines[rows]
    rest = block.price_micros[rows].view(np.uint64)
    for digit, base in zip(reversed(range(_DIGITS)), (100, 10_000, 10_000, 10_000, 10_000), strict=True):
        higher = rest // np.uint64(base)
        tuples["price"][:, digit] = (rest - higher * np.uint64(base)) * np.uint64(10_000 // base)
        rest = higher
    return tuples.view(np.uint8).data
