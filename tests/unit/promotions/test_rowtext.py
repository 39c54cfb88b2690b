import datetime
import uuid

import pytest

from promotions.rowtext import MAX_LINE_BYTES, Problem, Row, parse_line

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
    ],
)
def test_dates(date: str, meaning: str) -> None:
    found = read(date=date)
    assert isinstance(found, Row)
    assert found.expires_us == instant(meaning)


@pytest.mark.parametrize(
    ("price", "micros"),
    [("0", 0), ("007", 7_000_000), ("0.1", 100_000), ("999999999999.999999", 10**18 - 1), (" 5 ", 5_000_000)],
)
def test_prices(price: str, micros: int) -> None:
    found = read(price=price)
    assert isinstance(found, Row)
    assert found.price_micros == micros


@pytest.mark.parametrize(
    ("columns", "column", "reason"),
    [
        ({"id_": "{" + ID + "}"}, "id", "bad_uuid"),
        ({"id_": ID.replace("-", "")}, "id", "bad_uuid"),
        ({"id_": "g" + ID[1:]}, "id", "bad_uuid"),
        *(
            ({"price": text}, "price", "bad_price")
            for text in ("", "+1", "1e5", ".5", "5.", "1 0", "NaN", "1.2.3", "--1")
        ),
        ({"price": "-0.01"}, "price", "negative_price"),
        ({"price": "1000000000000"}, "price", "price_range"),
        ({"price": "1.0000000"}, "price", "price_precision"),
        *(
            ({"date": text}, "expiration_date", "bad_date")
            for text in (
                *("", "2018-06-24", "2018-06-24 14:50:03", "2018-02-30T00:00:00Z", "2018-06-24T24:00:00Z"),
                *("2018-06-24T23:59:60Z", "2018-06-24T14:50:03+24:00", "0000-01-01T00:00:00Z", "2018-13-01T00:00:00Z"),
            )
        ),
        ({"date": "0001-01-01T00:00:00+00:01"}, "expiration_date", "date_range"),
        ({"date": "9999-12-31T23:59:59-00:01"}, "expiration_date", "date_range"),
        ({"date": DATE + ",x"}, "", "column_count"),
        ({"date": DATE + "\0"}, "", "nul_byte"),
        ({"date": "x" * MAX_LINE_BYTES}, "", "line_too_long"),
    ],
)
def test_refusals(columns: dict[str, str], column: str, reason: str) -> None:
    found = read(**columns)
    assert isinstance(found, Problem)
    assert (found.column, found.reason) == (column, reason)


def test_invalid_utf8_is_told_with_its_place() -> None:
    assert parse_line(b"ab\xff") == Problem("", "invalid_utf8", "no UTF-8 at byte 2 of the line")  # type: ignore[arg-type]


@pytest.mark.parametrize("line", [b"", b"\r", b"  ", b"  \r", b"\r\r"])
def test_blank_lines(line: bytes) -> None:
    assert parse_line(line) is None
