import datetime
import uuid

import pytest

from promotions.errors import SourceUnreadable
from promotions.rows.rowtext import COLUMNS, MAX_LINE_BYTES, Problem, Row, parse_header, parse_line

ID = "0006c161-b9d2-4b62-988c-c25255a20965"
DATE = "2018-06-24 14:50:03 +0200 CEST"


def read(id_: str = ID, price: str = "31.457293", date: str = DATE) -> Row | Problem | None:
    return parse_line(f"{id_},{price},{date}".encode())


def instant(text: str) -> int:
    since = datetime.datetime.fromisoformat(text) - datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
    return since // datetime.timedelta(microseconds=1)


def test_row_of_the_documented_layout() -> None:
    assert read() == Row(uuid.UUID(ID).bytes, 31_457_293, instant("2018-06-24T12:50:03Z"))


@pytest.mark.parametrize(
    ("date", "meaning"),
    [
        ("2018-06-24 14:50:03 +0200", "2018-06-24T12:50:03Z"),
        ("2018-06-24T14:50:03Z", "2018-06-24T14:50:03Z"),
        ("2018-06-24t14:50:03z", "2018-06-24T14:50:03Z"),
        ("2018-06-24 14:50:03.5-03:30", "2018-06-24T18:20:03.500Z"),
        ("2018-06-24T14:50:03.123456789+00:00", "2018-06-24T14:50:03.123456Z"),
        ("2018-06-24 14:50:03 +0300 +03", "2018-06-24T11:50:03Z"),
        ("2024-02-29 00:00:00 +2359 X", "2024-02-28T00:01:00Z"),
        ("0001-01-01 00:00:00 +0000 UTC", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        # PostgreSQL's CSV
        ("2018-06-24 14:50:03+02", "2018-06-24T12:50:03Z"),
        ("2018-06-24 14:50:03.25-03", "2018-06-24T17:50:03.250Z"),
        ("1890-01-01 00:53:28+00:53:28", "1890-01-01T00:00:00Z"),
        ("2018-06-24 14:50:03 -00:00:01 LMT", "2018-06-24T14:50:04Z"),
        # Go's time.Time
        ("2018-06-24 14:50:03.5 +0200 CEST m=+86400.0005", "2018-06-24T12:50:03.500Z"),
        ("2018-06-24 14:50:03.123456789 +0000 UTC m=-0.000000001", "2018-06-24T14:50:03.123456Z"),
        ("2018-06-24 14:50:03 +0545 +0545 m=+9223372036.854775807", "2018-06-24T09:05:03Z"),
    ],
)
def test_dates(date: str, meaning: str) -> None:
    found = read(date=date)
    assert isinstance(found, Row)
    assert found.expires_us == instant(meaning)


@pytest.mark.parametrize(
    ("price", "micros"),
    [
        *(("0", 0), ("007", 7_000_000), ("0.1", 100_000), ("999999999999.999999", 10**18 - 1), (" 5 ", 5_000_000)),
        *(("-0", 0), ("-0.00", 0), ("-000.0000000", 0)),
        *(("60.6834660", 60_683_466), ("1." + "0" * 5_000, 1_000_000), ("0000000000001.5", 1_500_000)),
    ],
)
def test_prices(price: str, micros: int) -> None:
    found = read(price=price)
    assert isinstance(found, Row)
    assert found.price_micros == micros


@pytest.mark.parametrize(
    ("columns", "column", "reason", "detail"),
    [
        ({"id_": "{" + ID + "}"}, "id", "bad_uuid", f"'{{{ID}}}' is not a hyphenated UUID"),
        ({"id_": ID.replace("-", "")}, "id", "bad_uuid", "is not a hyphenated UUID"),
        ({"id_": "g" + ID[1:]}, "id", "bad_uuid", "is not a hyphenated UUID"),
        *(
            ({"price": text}, "price", "bad_price", f"'{text}' is not a decimal number written like 60 or 60.68")
            for text in ("", "+1", "1e5", ".5", "5.", "1 0", "NaN", "1.2.3", "--1", "-", "-.5")
        ),
        *(
            ({"price": text}, "price", "negative_price", f"'{text}' is negative")
            for text in ("-0.01", "-0.0000001", "-1234567890123")
        ),
        ({"price": "0001000000000000"}, "price", "price_range", "13 integer digits without leading zeros, at most 12"),
        ({"price": "1.12345670"}, "price", "price_precision", "7 decimal places without trailing zeros, at most 6"),
        *(
            ({"date": text}, "expiration_date", "bad_date", f"'{text}' does not begin with a date and a time like")
            for text in ("", "2018-06-24", "10000-01-01 00:00:00+00", "infinity", "2018-06-24_14:50:03Z")
        ),
        *(
            ({"date": text}, "expiration_date", "bad_date", f"'{text}' has no offset like +0200 or Z")
            for text in ("2018-06-24 14:50:03", "2018-06-24 14:50:03.5", "2018-06-24 14:50:03 CEST")
        ),
        *(
            ({"date": text}, "expiration_date", "bad_date", f"'{text}' does not have the form of a time, perhaps")
            for text in (
                *("2018-06-24 14:50:03.", "2018-06-24 14:50:03 +2", "2018-06-24 14:50:03  +0200"),
                *(
                    "2018-06-24 14:50:03 +0200 Europe/Berlin",
                    "2018-06-24 14:50:03+0200:30",
                    "2018-06-24 14:50:03Z m=+1",
                ),
            )
        ),
        *(
            (
                {"date": f"2018-06-24T14:50:03{offset}"},
                "expiration_date",
                "bad_date",
                f"{offset}' has an offset of more",
            )
            for offset in ("+24:00", "+24", "-02:60", "+0260", "+02:00:60")
        ),
        (
            {"date": "2018-02-30T00:00:00Z"},
            "expiration_date",
            "bad_date",
            "'2018-02-30T00:00:00Z': day is out of range",
        ),
        ({"date": "2018-06-24T24:00:00Z"}, "expiration_date", "bad_date", "hour must be in 0..23"),
        ({"date": "2018-06-24T23:59:60Z"}, "expiration_date", "bad_date", "second must be in 0..59"),
        ({"date": "0000-01-01T00:00:00Z"}, "expiration_date", "bad_date", "year 0 is out of range"),
        ({"date": "2018-13-01T00:00:00Z"}, "expiration_date", "bad_date", "month must be in 1..12"),
        ({"date": "0044-03-15 12:00:00+00 BC"}, "expiration_date", "date_range", "BC' lies before the year 1"),
        ({"date": "0001-01-01T00:00:00+00:01"}, "expiration_date", "date_range", "leaves the years 0001-9999 in UTC"),
        ({"date": "9999-12-31T23:59:59-00:01"}, "expiration_date", "date_range", "leaves the years 0001-9999 in UTC"),
        ({"date": DATE + ",x"}, "", "column_count", "expected 3 columns, found 4"),
        ({"date": DATE + "\0"}, "", "nul_byte", "NUL at byte"),
        ({"date": "x" * MAX_LINE_BYTES}, "", "line_too_long", f"{MAX_LINE_BYTES + 47} bytes, the limit is"),
    ],
)
def test_refusals_say_what_is_true_of_the_row(columns: dict[str, str], column: str, reason: str, detail: str) -> None:
    found = read(**columns)
    assert isinstance(found, Problem)
    assert (found.column, found.reason) == (column, reason)
    assert detail in found.detail


def test_long_text_is_shown_as_cut() -> None:
    found = read(price="7" * 100 + "x")
    assert isinstance(found, Problem)
    assert found.detail.startswith(f"'{'7' * 80}'... is not")


@pytest.mark.parametrize(
    "line",
    [
        f'"{ID}","31.457293","{DATE}"',
        f'{ID},"31.457293",{DATE}',
        f'  "{ID}" , "31.457293"  ,"{DATE}"   ',
        f'"{ID}",31.457293,"{DATE}"\r',
    ],
)
def test_columns_may_be_quoted(line: str) -> None:
    assert parse_line(line.encode()) == read()


@pytest.mark.parametrize(
    ("line", "column", "reason", "detail"),
    [
        (f'"{ID},1.5,{DATE}', "", "bad_quotes", "the quoted column at byte 0 of the line is not closed within it"),
        (f'"{ID}"x,1.5,{DATE}', "", "bad_quotes", "column at byte 0 of the line closes, but more than spaces follow"),
        (f'"{ID}"",1.5,{DATE}', "", "bad_quotes", "the quoted column at byte 0 of the line is not closed within it"),
        (f'{ID}, "1.5"" ,{DATE}', "", "bad_quotes", "the quoted column at byte 37 of the line is not closed within it"),
        (f'{ID}",1.5,{DATE}', "id", "bad_uuid", f"'{ID}\"' is not a hyphenated UUID"),
        (f'{ID},1.5" ,{DATE}', "price", "bad_price", "'1.5\"' is not a decimal number"),
        (f'{ID},1.5,{DATE}"', "expiration_date", "bad_date", f"'{DATE}\"' does not have the form of"),
        (f'"{ID},1.5,{DATE}"', "", "column_count", "expected 3 columns, found 1"),
        (f'"{ID}","1,5","{DATE}"', "price", "bad_price", "'1,5' is not a decimal number"),
        (f'"{ID}","1""5","{DATE}"', "price", "bad_price", "'1\"5' is not a decimal number"),
        (f'"{ID}"," 1.5","{DATE}"', "price", "bad_price", "' 1.5' is not a decimal number"),
        (f'"{ID}","","{DATE}"', "price", "bad_price", "'' is not a decimal number"),
        ('"",""', "", "column_count", "expected 3 columns, found 2"),
        ('"', "", "bad_quotes", "the quoted column at byte 0 of the line is not closed within it"),
    ],
)
def test_quotes_are_read_strictly(line: str, column: str, reason: str, detail: str) -> None:
    found = parse_line(line.encode())
    assert isinstance(found, Problem)
    assert (found.column, found.reason) == (column, reason)
    assert detail in found.detail


def test_columns_come_in_the_order_of_the_header() -> None:
    line = f"{DATE},{ID},31.457293".encode()
    assert parse_line(line, ("expiration_date", "id", "price")) == read()


@pytest.mark.parametrize(
    ("line", "columns"),
    [
        ("id,price,expiration_date", COLUMNS),
        ("ID, Price ,EXPIRATION_DATE\r\r", COLUMNS),
        ('"Expiration_Date","id" , "price"', ("expiration_date", "id", "price")),
        ("uuid,cost,expires", None),
        (f"{ID},31.457293,{DATE}", None),
        ("", None),
    ],
)
def test_header_names_the_columns(line: str, columns: tuple[str, ...] | None) -> None:
    assert parse_header(line.encode()) == columns


@pytest.mark.parametrize(
    "line",
    [
        *("id,price", "id,price,expires_at", "id,price,expiration_date,", "id,id,price,expiration_date"),
        *("id;price;expiration_date", "id\tprice\texpiration_date", '"id,price,expiration_date', "price"),
    ],
)
def test_header_that_names_other_columns_is_shown(line: str) -> None:
    with pytest.raises(SourceUnreadable) as raised:
        parse_header(line.encode())
    assert f"The first line is a header, {line!r}, but it does not name just the columns" in raised.value.detail


def test_invalid_utf8_is_told_with_its_place() -> None:
    assert parse_line(b"ab\xff") == Problem("", "invalid_utf8", "no UTF-8 at byte 2 of the line")  # type: ignore[arg-type]


@pytest.mark.parametrize("line", [b"", b"\r", b"  ", b"  \r", b"\r\r"])
def test_blank_lines(line: bytes) -> None:
    assert parse_line(line) is None
