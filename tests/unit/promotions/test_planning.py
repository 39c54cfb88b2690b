import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotions.errors import SourceChanged, SourceUnreadable
from promotions.steps import planning
from promotions.steps.planning import Plan, PlannedChunk, read_chunk

HEADER = b"ID, Price,Expiration_Date\r\n"


def read_all(data: bytes, chunks: list[PlannedChunk], block_bytes: int) -> list[tuple[int, int, bytes]]:
    blocks = [block for chunk in chunks for block in read_chunk(io.BytesIO(data), chunk, block_bytes)]
    return [(line, offset, bytes(block)) for block, line, offset in blocks]


@given(
    st.lists(st.sampled_from([b"", b"a", b"bb\r", b"c" * 50])), st.booleans(), st.integers(1, 40), st.integers(1, 40)
)
def test_chunks_and_blocks_cover_every_byte_and_line_once(
    lines: list[bytes], ends_with_newline: bool, chunk_bytes: int, block_bytes: int
) -> None:
    data = b"\n".join(lines) + b"\n" * ends_with_newline
    plan = Plan(io.BytesIO(data), chunk_bytes)
    chunks = list(plan)
    blocks = read_all(data, chunks, block_bytes)
    assert b"".join(block for _, _, block in blocks) == data
    assert all(line == data[:offset].count(b"\n") + 1 for line, offset, _ in blocks)
    assert plan.line_count == sum(chunk.line_count for chunk in chunks) == len(data.splitlines(keepends=True))
    assert (plan.sha256, plan.byte_count) == (hashlib.sha256(data).hexdigest(), len(data))


def test_head_is_skipped_and_the_header_counts_as_a_line() -> None:
    data = b"\xef\xbb\xbf" + HEADER + b"x\ny"
    plan = Plan(io.BytesIO(data), 1)
    chunks = list(plan)
    assert plan.line_count == 2
    assert read_all(data, chunks, 100) == [(2, 3 + len(HEADER), b"x\n"), (3, 5 + len(HEADER), b"y")]


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", HEADER])
def test_source_without_rows_has_no_chunks(data: bytes) -> None:
    assert list(Plan(io.BytesIO(data), 10)) == []


@pytest.mark.parametrize("changed", [b"aa\nbX\ncc\n", b"aa\nbb\n", b""])
def test_change_of_the_source_is_noticed(changed: bytes) -> None:
    (chunk,) = Plan(io.BytesIO(b"aa\nbb\ncc\n"), 100)
    with pytest.raises(SourceChanged):
        list(read_chunk(io.BytesIO(changed), chunk, 4))


def test_endless_line_fails_the_source_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "BINARY_LINE_BYTES", 10)
    with pytest.raises(SourceUnreadable, match="Line 2 is longer than 10 bytes"):
        list(Plan(io.BytesIO(b"ok\n" + b"x" * 11), 100))
