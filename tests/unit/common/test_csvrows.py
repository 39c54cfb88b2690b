"""Rows of CSV: what the columns are, and what is in a line."""

import csv
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.text.csvrows import NoRows, Rows, Table, open_rows, read_row, split_row


def check_first(values: Mapping[str, str]) -> None:
    if not values.get("day", "").startswith("2"):
        raise ValueError("day: Must begin with 2.")


TABLE = Table(("code", "day", "price", "note"), check_first, frozenset({"note"}))


def opened(text: str | bytes, table: Table = TABLE) -> Rows:
    content = text.encode() if isinstance(text, str) else text
    return open_rows(enumerate(content.split(b"\n"), 1), table)


@pytest.mark.parametrize(
    ("text", "columns", "first"),
    [
        ("code,day,price,note\nA,,,", "code day price note", 2),
        ("code,day,price\nA,,", "code day price", 2),
        ("PRICE,Day,cOdE\nA,,", "price day code", 2),
        ('"price", "day" ,"code"\t\nA,,', "price day code", 2),
        ("\n \t\n price ,\tday, code \n\n\nA,,\n", "price day code", 6),
        ("A,2026-01-01,5", "code day price", 1),
        ("\nA,2026-01-01,5,", "code day price note", 2),
        ("A,2026-02-30,-5", "code day price", 1),
        ("code,2026-01-01,5", "code day price", 1),
        ('"A,B","2026-01-01",5', "code day price", 1),
    ],
)
def test_a_header_names_the_columns_and_without_one_they_have_their_order(text: str, columns: str, first: int) -> None:
    found = opened(text)
    assert (found.columns, found.first) == (tuple(columns.split()), first)
    lines = enumerate(text.encode().split(b"\n"), 1)
    assert list(found.lines) == [(number, line) for number, line in lines if line.strip() and number >= first]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Has no rows."),
        ("\n \n", "Has no rows."),
        ("code,day,price\n\n", "Has no rows."),
        ("code,day,prize\nA,,", "Has neither a header nor a row in line 1: 'prize' is no column, price is missing."),
        ("\ncode,day\nA,", "Has neither a header nor a row in line 2: price is missing."),
        ("code,day,price,Day\nA,,,", ": day comes twice. The columns are"),
        ("code,day,price,colour\nA,,,", ": 'colour' is no column. The columns are"),
        ("code,day,price,\nA,,,", ": a column has no name. The columns are"),
        (
            "code;day;price\nA;;",
            ": it has 'code;day;price'. A row has 3 to 4 values. The columns are code, day, price,",
        ),
        ("Ort,Tag,Preis\nA,,", ": it has 'Ort', 'Tag', 'Preis'. day: Must begin with 2. The columns are"),
        ("A,2026-01-01,5,,extra", ": it has 'A', '2026-01-01', '5', '', 'extra'. A row has 3 to 4 values. The"),
        ("A,2026-01-01", ": it has 'A', '2026-01-01'. A row has 3 to 4 values. The"),
        (",".join("abcdefghijk"), "'h' and more. A row has 3 to 4 values. The"),
        ("x" * 100, "it has '" + "x" * 40 + "'."),
        (b"Stra\xdfe,day,price\n", "Has neither a header nor a row in line 1, which is not UTF-8: byte 5 is 0xDF"),
        ('"code,day,price\n', "Has neither a header nor a row in line 1, which has a quote that is not closed"),
    ],
)
def test_a_first_line_that_is_neither_is_refused_with_what_it_has_and_what_there_is(
    text: str | bytes, said: str
) -> None:
    with pytest.raises(NoRows) as refused:
        opened(text)
    assert said in str(refused.value)
    if "line 1: " in said:
        assert str(refused.value).endswith(
            "The columns are code, day, price, note, parted by commas, in any order if a header names them;"
            " note may be missing."
        )


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (b"a,b", ["a", "b"]),
        (b"", [""]),
        (b",", ["", ""]),
        (b' a ,\t"b" , "" ,', ["a", "b", "", ""]),
        (b'"a,b","c""d","""","x "', ["a,b", 'c"d', '"', "x"]),
        (b'5" pipe,a"b"', ['5" pipe', 'a"b"']),
        ("Köln,\u00a0x\u00a0".encode(), ["Köln", "x"]),
        (b"x" * 10_000, ["x" * 10_000]),
        (b"x" * 10_001, "Is longer than 10,000 bytes."),
        (b"K\xf6ln", "Is not UTF-8: byte 2 is 0xF6; save it as UTF-8."),
        (b'a,"b', "Has a quote that is not closed in its line, from character 3 on."),
        (b'a, "b"c,d', "Has something behind its closing quote, from character 3 on."),
        (b'"a""', "Has a quote that is not closed in its line, from character 1 on."),
    ],
)
def test_a_line_is_values_or_says_why_not(line: bytes, values: list[str] | str) -> None:
    if isinstance(values, list):
        assert split_row(line) == values
    else:
        with pytest.raises(ValueError, match=r"^[A-Z]") as refused:
            split_row(line)
        assert str(refused.value) == values


def by_the_library(text: str) -> list[str] | None:
    try:
        (values,) = csv.reader([text], strict=True, skipinitialspace=True)
    except csv.Error:
        return None
    return [value.strip() for value in values] or [""]


def by_us(text: str) -> list[str] | None:
    try:
        return split_row(text.encode())
    except ValueError:
        return None


@given(st.lists(st.sampled_from(['"', '""', ",", " ", "a", "b", "'", "é"])).map("".join))
@example('x"y,"""  ,z"')
def test_quotes_are_read_as_by_the_library_but_for_blanks_behind_them(text: str) -> None:
    expected = by_the_library(text)
    if expected is None and by_us(text) is not None:
        assert '" ' in text  # which it refuses
    else:
        assert by_us(text) == expected


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), min_size=1))
def test_what_the_library_writes_comes_back(values: list[str]) -> None:
    lines: list[str] = []

    class Kept:
        def write(self, line: str) -> None:
            lines.append(line)

    csv.writer(Kept(), quoting=csv.QUOTE_ALL, lineterminator="").writerow(values)
    assert split_row(lines[0].encode()) == [value.strip() for value in values]


def test_a_row_has_as_many_values_as_there_are_columns_and_empty_ones_are_left_out() -> None:
    assert read_row(b' 5 ,,"x"', ("price", "day", "code")) == {"price": "5", "code": "x"}
    for line, has in ((b"5", "1 column,"), (b"5,6", "2 columns,"), (b"5,6,7,", "4 columns,")):
        with pytest.raises(ValueError, match=f"Has {has} not price, day, code."):
            read_row(line, ("price", "day", "code"))
