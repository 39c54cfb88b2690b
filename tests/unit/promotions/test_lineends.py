"""A lone CR ends a row as LF and CRLF do: planning, reading and parsing together against a reader of a few lines."""

import hashlib
import io
from itertools import chain, pairwise
from unittest.mock import patch
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from promotions.rows import lineends
from promotions.rows.blocks import Block, parse_block
from promotions.rows.rowtext import COLUMNS, Problem, Row, parse_line
from promotions.steps import planning
from promotions.steps.planning import Plan, read_chunk

HEADER = b"id,price,expiration_date"
BOM = b"\xef\xbb\xbf"
ENDS = [b"\n", b"\r\n", b"\r", b"\r\r\n", b"\r\r", b"\n\r", b"\r\n\r"]

Lines = list[tuple[int, bytes]]


def row(number: int) -> bytes:
    return b"%s,1.5,2018-08-04 05:32:31 +0200 CEST" % str(UUID(int=number)).encode()


def plain_lines(text: bytes, start: int = 0) -> Lines:
    """(offset, line without its end) of each line from a place on, read byte by byte."""
    lines, place = [], start
    while place < len(text):
        if text[place] not in b"\r\n":
            place += 1
            continue
        behind = place
        while text[behind : behind + 1] == b"\r":
            behind += 1
        behind = behind + 1 if text[behind : behind + 1] == b"\n" else place + 1
        lines.append((start, text[start:place]))
        start = place = behind
    return lines + [(start, text[start:])] * (start < len(text))


def plain_head(text: bytes) -> tuple[int, int]:
    """Where the rows start, and the number of the line before them."""
    bom = 3 if text.startswith(BOM) else 0
    lines = plain_lines(text, bom)
    if not lines or lines[0][1] != HEADER:
        return bom, 0
    return (lines[1][0] if len(lines) > 1 else len(text)), 1


def read(text: bytes, chunk_bytes: int, block_bytes: int) -> tuple[Plan, list[tuple[int, int, bytes]], list[Block]]:
    plan = Plan(io.BytesIO(text), chunk_bytes)
    chunks = list(plan)
    found = list(chain.from_iterable(read_chunk(io.BytesIO(text), chunk, block_bytes) for chunk in chunks))
    assert all(chunk.length >= chunk_bytes for chunk in chunks[:-1])
    assert all(earlier.offset + earlier.length == later.offset for earlier, later in pairwise(chunks))
    assert all(earlier.first_line + earlier.line_count == later.first_line for earlier, later in pairwise(chunks))
    assert plan.line_count == sum(chunk.line_count for chunk in chunks)
    blocks = [parse_block(data, line, offset, keep_rejects=1_000) for data, line, offset in found]
    return plan, [(line, offset, bytes(data)) for data, line, offset in found], blocks


def assert_read_as_plain(text: bytes, chunk_bytes: int, block_bytes: int) -> None:
    start, line = plain_head(text)
    expected = {number: (offset, found) for number, (offset, found) in enumerate(plain_lines(text, start), line + 1)}
    plan, read_blocks, blocks = read(text, chunk_bytes, block_bytes)
    assert plan.line_count == len(expected)
    assert (plan.sha256, plan.byte_count) == (hashlib.sha256(text).hexdigest(), len(text))
    assert b"".join(data for _, _, data in read_blocks) == text[start:]
    assert all(expected[line][0] == offset for line, offset, _ in read_blocks)
    kinds = {number: parse_line(found) for number, (_, found) in expected.items()}
    loaded = [int(number) for block in blocks for number in block.lines]
    assert loaded == [number for number, kind in kinds.items() if isinstance(kind, Row)]
    rejects = [(reject.line, reject.offset, reject.raw.encode()) for block in blocks for reject in block.rejects]
    assert rejects == [(number, *expected[number]) for number, kind in kinds.items() if isinstance(kind, Problem)]
    assert sum(block.blank for block in blocks) == sum(kind is None for kind in kinds.values())
    assert [block.line_count for block in blocks] == [len(plain_lines(data)) for _, _, data in read_blocks]


texts = st.lists(st.sampled_from([*ENDS, b"\r", b"\n", b"x", b"yy", row(1), row(2), b" "]), max_size=30).map(b"".join)
heads = st.sampled_from([b"", b"", BOM, HEADER, BOM + HEADER]).flatmap(
    lambda head: st.sampled_from(ENDS).map(lambda end: head + end if head else b"")
)


@given(
    st.tuples(heads, texts).map(b"".join),
    st.integers(1, 200),
    st.integers(1, 200),
    st.integers(1, 200),
    st.integers(1, 3),
)
@settings(max_examples=1_000)
@example(b"a\r" + b"b\n", 2, 1, 2, 1)
@example(b"a\r\r" + b"\nb", 2, 1, 2, 1)
@example(b"a\r\r" + b"\r\r" + b"b\r", 1, 1, 2, 1)
@example(b"\r" * 50, 7, 3, 4, 2)
@example(b"\r" * 50 + b"\n", 7, 3, 4, 2)
@example(BOM + b"\r" + row(1) + b"\r", 10, 10, 4, 1)
@example(BOM + HEADER + b"\r" + row(1) + b"\r", 10, 10, len(BOM + HEADER) + 1, 1)
def test_text_is_read_as_a_plain_reader_does(
    text: bytes, chunk_bytes: int, block_bytes: int, piece_bytes: int, look_bytes: int
) -> None:
    with patch.object(planning, "_READ_BYTES", piece_bytes), patch.object(lineends, "_LOOK_BYTES", look_bytes):
        assert_read_as_plain(text, chunk_bytes, block_bytes)


@pytest.mark.parametrize("end", ENDS[:4])
@pytest.mark.parametrize("shift", range(-2, 3))
def test_end_at_the_edge_of_a_piece_is_one_end(end: bytes, shift: int) -> None:
    """With the pieces of production, whose reads end within or beside the end of a line."""
    filler = (row(1) + end) * (planning._READ_BYTES // len(row(1) + end))
    text = (
        b" " * (planning._READ_BYTES - len(filler) - len(end) + shift) + end + filler + row(2) + b"\n" + row(3) + b"\r"
    )
    plan, _, blocks = read(text, 300_000, 100_000)
    assert plan.line_count == len(plain_lines(text)) == sum(block.line_count for block in blocks)
    assert sum(len(block.lines) for block in blocks) == len(plain_lines(text)) - 1
    assert [block.blank for block in blocks if block.blank] == [1]


def test_file_of_lone_returns_is_cut_into_chunks() -> None:
    text = b"\r".join(map(row, range(10_000))) + b"\r"
    chunks = list(Plan(io.BytesIO(text), 100_000))
    assert {chunk.length // 1_000 for chunk in chunks[:-1]} == {100}
    assert sum(chunk.line_count for chunk in chunks) == 10_000


def test_nothing_but_returns_takes_no_longer_than_newlines() -> None:
    """Each of them is an end; they are looked at once, not from each piece on again."""
    plan = Plan(io.BytesIO(b"\r" * 20_000_000), 2**20)
    assert sum(chunk.line_count for chunk in plan) == 20_000_000


def test_last_row_of_a_file_may_end_in_a_return() -> None:
    _, _, blocks = read(row(1) + b"\r" + row(2) + b"\r", 1_000, 1_000)
    assert [block.lines.tolist() for block in blocks] == [[1, 2]]


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\r\r\n"])
@pytest.mark.parametrize("header", [HEADER, b'expiration_date , ID,"Price"'])
def test_head_is_known_by_any_end(end: bytes, header: bytes) -> None:
    plan = Plan(io.BytesIO(BOM + header + end + b"x"), 1)
    (chunk,) = plan
    assert (chunk.offset, chunk.first_line, chunk.line_count) == (3 + len(header + end), 2, 1)
    assert plan.head.columns == (COLUMNS if header == HEADER else ("expiration_date", "id", "price"))
