import pytest

from common.text.lines import end_by_newlines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", b""),
        (b"a\nb\n", b"a\nb\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b"a\rb\r", b"a\nb\n"),
        (b"a\r\rb", b"a\n\nb"),
        (b"a\r\r\nb", b"a\r\r\nb"),
        (b"a\nb\rc\r\nd", b"a\nb\nc\r\nd"),
        (b"\r", b"\n"),
        (b"\n\r", b"\n\n"),
    ],
)
def test_each_line_ends_with_a_newline_and_no_byte_moves(text: bytes, expected: bytes) -> None:
    assert end_by_newlines(text) == expected


def test_a_megabyte_of_returns_takes_no_time() -> None:
    assert end_by_newlines(b"\r" * 2**20) == b"\n" * 2**20
    assert end_by_newlines(b"\r" * 2**20 + b"\n") == b"\r" * 2**20 + b"\n"
