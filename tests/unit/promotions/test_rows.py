"""``parse_block`` against ``parse_line``: the vectorised pass may accept only what the scalar rules accept."""

from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.text.lines import end_by_newlines
from promotions.rows import blocks
from promotions.rows.blocks import Block, parse_block
from promotions.rows.rowtext import COLUMNS, MAX_LINE_BYTES, Problem, Row, parse_line

GOOD = b"d018ef0b-dbd9-48f1-ac1a-eb4d90e57118,60.683466,2018-08-04 05:32:31 +0200 CEST"
KEEP = 1_000  # rejects, more than any block here has
PADDING = [GOOD] * 3  # the last lines of a block are never read by the vectorised pass

hex_digits = st.text("0123456789abcdefABCDEF", min_size=32, max_size=32)
ids = st.tuples(
    hex_digits.map(lambda text: "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))),
    st.sampled_from(["", "", "", "ab", "  "]),
).map("".join)
prices = st.from_regex(r"-?[0-9]{1,13}(\.[0-9]{1,7}0{0,2})?", fullmatch=True) | st.sampled_from(
    ["0", "-0", "-0.00", ".5", "5.", "-1", "1e5", ""]
)
days = st.from_regex(r"(0000|0001|1900|2000|2023|2024|9998|9999)-(0[0-9]|1[0-9])-([0-3][0-9])", fullmatch=True)
times = st.from_regex(r"[012][0-9]:[0-6][0-9]:[0-6][0-9]", fullmatch=True)
fractions = st.sampled_from(["", "", "", "."]) | st.from_regex(r"\.[0-9]{1,10}", fullmatch=True)
offsets = st.from_regex(r" ?[+-][012][0-9](:?[0-6][0-9](:[0-6][0-9])?)?", fullmatch=True) | st.sampled_from(
    ["Z", "z", " Z", "", "+2"]
)
zones = st.sampled_from(
    ["", " CEST", " CET", " +03", " UTC", "  UTC", " a b", " BC", " m=+0.1", " UTC m=-1.5", " m=+1"]
)
dates = st.tuples(days, st.sampled_from(" T tx"), times, fractions, offsets, zones).map("".join)
quotes = st.sampled_from(["{}", "{}", '"{}"', '"{}"', ' "{}" ', '"{}', '{}"', '"{}""', '""{}""', "{} "])


@st.composite
def likely_columns(draw: st.DrawFn) -> tuple[str, str, str]:
    """Quoted all, none or some."""
    quote = draw(st.tuples(quotes, quotes, quotes) | quotes.map(lambda quote: (quote,) * 3))
    known = GOOD.decode().split(",")  # many, so that often all but one part of a line is right
    id_, price, date = (draw(st.just(good) | values) for good, values in zip(known, (ids, prices, dates), strict=True))
    return quote[0].format(id_), quote[1].format(price), quote[2].format(date)


likely_lines = likely_columns().map(lambda columns: ",".join(columns).encode())
line_ends = st.sampled_from([b"", b"", b"\r", b"\r\r", b" ", b","])
odd_bytes = st.sampled_from(list(b"\0\t\r ,.-+:;gG/@`9TZ\"'\x7f\x80\xff\xc3"))


@st.composite
def mutated_lines(draw: st.DrawFn) -> bytes:
    line = bytearray(draw(likely_lines | st.just(GOOD)) + draw(line_ends))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(line) - 1))
        match draw(st.sampled_from(["set", "insert", "delete"])):
            case "set":
                line[place] = draw(odd_bytes)
            case "insert":
                line.insert(place, draw(odd_bytes))
            case _:
                del line[place]
    return bytes(line)


def found_rows(block: Block) -> list[tuple[int, Row]]:
    columns = zip(block.lines.tolist(), block.ids, block.price_micros.tolist(), block.expires_us.tolist(), strict=True)
    return [(line, Row(id_.tobytes(), price, expires)) for line, id_, price, expires in columns]


def assert_same_as_scalar(given: list[bytes], columns: tuple[str, ...] = COLUMNS) -> None:
    text = b"\n".join(given) + b"\n"
    lines = end_by_newlines(text)[:-1].split(b"\n")
    expected = [(number, parse_line(line, columns)) for number, line in enumerate(lines, 1)]
    block = parse_block(text, 1, 0, KEEP, columns)
    assert found_rows(block) == [(number, found) for number, found in expected if isinstance(found, Row)]
    problems = [(number, *found) for number, found in expected if isinstance(found, Problem)]
    assert [(found.line, found.column, found.reason, found.detail) for found in block.rejects] == problems
    assert block.blank == sum(found is None for _, found in expected)
    assert block.line_count == len(lines) == len(block.lines) + block.reasons.total() + block.blank


@given(st.lists(likely_lines, max_size=20))
@settings(max_examples=300, deadline=None)
def test_likely_lines_are_read_as_the_scalar_parser_reads_them(lines: list[bytes]) -> None:
    assert_same_as_scalar(lines + PADDING)


@given(st.lists(mutated_lines() | st.sampled_from([b"", b"\r", b"  ", GOOD]), max_size=20))
@settings(max_examples=500, deadline=None)
def test_damaged_lines_are_read_as_the_scalar_parser_reads_them(lines: list[bytes]) -> None:
    assert_same_as_scalar([part for line in lines for part in line.split(b"\n")] + PADDING)


@given(st.lists(likely_columns(), max_size=10))
@settings(max_examples=100, deadline=None)
def test_columns_in_another_order_are_read_as_the_scalar_parser_reads_them(rows: list[tuple[str, str, str]]) -> None:
    lines = [f"{date},{id_},{price}".encode() for id_, price, date in rows]
    assert_same_as_scalar(lines + PADDING, ("expiration_date", "id", "price"))
    assert_same_as_scalar(lines + PADDING)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_noise_is_read_as_the_scalar_parser_reads_it(noise: bytes) -> None:
    assert_same_as_scalar([*noise.split(b"\n"), *PADDING])


def test_usual_layouts_take_the_fast_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it an import is ten times as slow and no other test would notice."""
    dates = [
        *(
            "2018-08-04 05:32:31 +0200 CEST",
            "2018-08-04 05:32:31 +0200",
            "2018-08-04T05:32:31Z",
            "2018-08-04T05:32:31.123Z",
        ),
        *("2018-08-04T05:32:31.123456+02:00", "2018-08-04 05:32:31.5 -0330 NST", "2024-02-29 23:59:59 +0300 +03"),
        *("2018-08-04 05:32:31+02", "2018-08-04 05:32:31.123456-03:30:15"),
    ]
    prices = ["0", "7", "60.68", "60.683466", "12345678.9"]
    layouts = ("{},{},{}", "{},{},{}\r", '"{}","{}","{}"', '"{}",{},"{}"\r')
    id_ = GOOD[:36].decode()
    lines = [layout.format(id_, price, date) for price in prices for date in dates for layout in layouts]
    data = "\n".join(lines).encode() + b"\n" + b"\n".join(PADDING)
    slow_parse = Mock(side_effect=parse_line)
    monkeypatch.setattr(blocks, "parse_line", slow_parse)
    block = parse_block(data, 1, 0, KEEP)
    assert len(block.lines) == len(lines) + len(PADDING)
    assert slow_parse.call_count <= 2  # the last lines of a block


def test_rejects_name_line_and_offset_in_the_source() -> None:
    block = parse_block(GOOD + b"\nx\n" + GOOD + b"\n", first_line=100, offset=5_000, keep_rejects=KEEP)
    assert [(found.line, found.offset) for found in block.rejects] == [(101, 5_000 + len(GOOD) + 1)]
    assert block.lines.tolist() == [100, 102]


def test_last_line_needs_no_newline() -> None:
    assert parse_block(GOOD + b"\n" + GOOD, 1, 0, KEEP).lines.tolist() == [1, 2]


def test_empty_block_has_no_lines() -> None:
    assert parse_block(b"", 1, 0, KEEP).line_count == 0


def test_raw_text_of_a_reject_can_be_stored() -> None:
    raw = parse_block(b"a\0b\xff" + b"x" * 5_000, 1, 0, KEEP).rejects[0].raw
    assert raw.startswith("a\\x00b\\xff")
    assert len(raw) <= 1_024 + 6
    raw.encode()


def test_line_of_ten_megabytes_is_one_reject() -> None:
    block = parse_block(GOOD + b"\n" + b"x" * 10_000_000 + b"\n" + GOOD, 1, 0, KEEP)
    assert [(found.line, found.reason) for found in block.rejects] == [(2, "line_too_long")]
    assert str(10_000_000) in block.rejects[0].detail
    assert MAX_LINE_BYTES < 10_000_000


def test_quoted_line_end_ends_the_row() -> None:
    block = parse_block(b'"' + GOOD + b'"\n' + b'"a\nb",1,2\n' + GOOD, 1, 0, KEEP)
    assert block.lines.tolist() == [4]
    assert block.reasons == {"column_count": 1, "bad_quotes": 1, "bad_uuid": 1}


@pytest.mark.parametrize("end", [b"\r", b"\r\n", b"\r\r\n"])
def test_raw_text_of_a_reject_is_without_its_end(end: bytes) -> None:
    block = parse_block(b"x" + end + GOOD + end + b"y" + end, 1, 0, KEEP)
    assert [(found.line, found.raw) for found in block.rejects] == [(1, "x"), (3, "y")]


def test_further_rejects_are_counted_only() -> None:
    block = parse_block(b"x\n" * 10, 1, 0, keep_rejects=3)
    assert len(block.rejects) == 3
    assert block.reasons == {"column_count": 10}
