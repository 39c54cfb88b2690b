"""Text as lines, of files and through pipes."""

import io
import os
import re
import tarfile
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pytest_django import Settings

from common.text import textfiles
from common.text.textfiles import NoText, blocks_of, numbered_lines, open_text, size_of


def lines(content: bytes) -> list[bytes]:
    return [line for _, line in numbered_lines(io.BytesIO(content))]


def test_lines_end_with_any_of_the_ends_and_have_none() -> None:
    assert lines(b"\xef\xbb\xbfa\nb\r\nc\rd\r\r\ne\r\n") == [b"a", b"b", b"c", b"d", b"e"]
    assert lines(b"a\n\nb") == [b"a", b"", b"b"]
    assert lines(b"") == []
    assert lines(b"\xef\xbb\xbf") == []


@given(st.lists(st.sampled_from([b"a", b"bc", b",", b"\r", b"\n"])).map(b"".join), st.integers(1, 5))
@example(b"a\r\nb", 2)
@example(b"a\r\r\nb", 2)
@example(b"a\rb", 2)
def test_lines_do_not_depend_on_where_blocks_are_cut(content: bytes, size: int) -> None:
    expected = re.split(rb"\r*\n|\r(?!\r*\n)", content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textfiles, "BLOCK_BYTES", size)
        assert lines(content) == (expected if expected[-1] else expected[:-1])


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n", b"\r\r\n"])
def test_line_that_is_too_long_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch, end: bytes) -> None:
    monkeypatch.setattr(textfiles, "BLOCK_BYTES", 1_000)
    content = b"a" + end + b"x" * 100_000 + end + b"b" + end
    assert max(map(len, blocks_of(io.BytesIO(content)))) < 13_000
    found = lines(content)
    assert (found[0], found[2]) == (b"a", b"b")
    assert 10_000 < len(found[1]) < 13_000


def test_megabytes_of_returns_take_no_time_and_are_each_a_line() -> None:
    found = lines(b"\r" * 10 * 2**20 + b"a")
    assert (len(found), found[-1], any(found[:-1])) == (10 * 2**20 + 1, b"a", False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Is empty."),
        (b"\x1f\x8b\x08\0", "Is a gzip file; unpack it."),
        (b"\x28\xb5\x2f\xfd\x04", "Is a zstd file; unpack it."),
        (b"PK\x03\x04\x14\0", "Is a zip archive or an Excel workbook; unpack it or save it as CSV."),
        (tarfile.TarInfo("a.csv").tobuf(), "Is a tar archive; unpack it."),
        ("a,b\n".encode("utf-16"), "Is UTF-16 text; save it as UTF-8."),
        ("a,b\n".encode("utf-16-be"), "it has a NUL byte in line 1; save it in UTF-8."),
        (b"a,b\n1,\0\n", "it has a NUL byte in line 2; save it in UTF-8."),
        (b"a,b\r1,2\r\r\n3,\0\r", "it has a NUL byte in line 3; save it in UTF-8."),
    ],
)
def test_what_is_plainly_no_text_is_refused_as_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(NoText) as refused, open_text(path):
        pass
    assert str(refused.value).endswith(said)


LIKE_OTHERS = [
    *("PARENT_SLUG,SLUG,NAME", "PARENTS10,5,1", "ARROW1,5,1", "ab-lh5-x,5,1", "07070112345678,5,1", "LZIP9,5,1"),
    *("FEA1,5,1", "PGDMP7,5,1", "BZh1,5,1", "ORC1,5,1", "PK,5,1", "Rar!,5,1", "7z,5,1", "Obj,5,1", "MSCF,5,1"),
]


@pytest.mark.parametrize("begin", LIKE_OTHERS)
def test_text_that_begins_as_other_files_do_is_text(tmp_path: Path, begin: str) -> None:
    content = f"{begin}\tGr\u00f6\u00dfe\r\n".encode("latin-1") * 100
    (tmp_path / "rows.csv").write_bytes(content)
    with open_text(tmp_path / "rows.csv") as file:
        assert file.read() == content


def test_pipe_is_taken_in_whole_and_leaves_no_file(tmp_path: Path, settings: Settings) -> None:
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.SPOOL_DIR.mkdir()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = b"a,b\n" * 100_000
    threading.Thread(target=pipe.write_bytes, args=(content,), daemon=True).start()
    with open_text(pipe) as file:
        assert (size_of(file), file.read()) == (len(content), content)
        assert not list(settings.SPOOL_DIR.iterdir())


def test_spool_that_cannot_be_written_is_named(tmp_path: Path, settings: Settings) -> None:
    settings.SPOOL_DIR = tmp_path / "gone"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=(b"a,b\n",), daemon=True).start()
    with pytest.raises(OSError, match="gone"), open_text(pipe):
        pass
