"""Rows of files of prices, as COPY takes them, and what is said of those that are none."""

from itertools import permutations

import pytest

from common.text.csvrows import RejectedRow, Rows
from rates.prices.pricerows import PRICES, RowReader

PORTS = {"CNSGH": 7, "NLRTM": 8}
ROW = {"orig_code": "CNSGH", "dest_code": "NLRTM", "day": "2026-01-01", "price": "1200.50"}
PORT = "Must be a port code: 5 of A-Z and 0-9."
DAY = "day: Must be a day of the calendar like 2026-11-21."
PRICE = (
    "price: Must be digits like 1200.50, with a point before at most 2 decimal places,"
    " above 0 and below 10,000,000,000."
)


def read(*lines: str | bytes, columns: tuple[str, ...] = PRICES.columns) -> tuple[RowReader, list[bytes], list[str]]:
    rejects: list[RejectedRow] = []
    reader = RowReader(Rows(columns, 1, iter(())), PORTS, rejects.append)
    rows = reader.read(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
    assert reader.rejected == len(rejects)
    return reader, rows, [reason for _, reason in rejects]


def test_columns_of_any_order_go_where_they_belong() -> None:
    staged = {"origin_id": b"7", "destination_id": b"8", "day": b"2026-01-01", "price_usd": b"1200.50"}
    for columns in permutations(PRICES.columns):
        plain = ",".join(ROW[name] for name in columns)
        careful = ",".join(f' "{ROW[name]}" ' for name in columns)
        reader, rows, _ = read(plain, careful, columns=columns)
        assert rows == [b"\t".join(staged[name] for name in reader.columns) + b"\n"] * 2


@pytest.mark.parametrize("price", ["1200.50", "0001200.5", "1200.500", "1", "9999999999.99", "0.01", "5.00000000"])
def test_digits_with_at_most_two_places_that_count_are_a_price(price: str) -> None:
    _, rows, rejects = read(f"CNSGH,NLRTM,2026-01-01,{price}")
    assert (rows, rejects) == ([f"7\t8\t2026-01-01\t{price}\n".encode()], [])


NO_PRICES = ["0", "-0", "-0.0", "0.00", "-5", "+5", "5.", ".5", "5.001", "1e3", "1E+03", '"1,200.50"', "1 200", '""']
NO_PRICES += ["€5", "NaN", "10000000000", "0.001", "\u0665", "5\u00a0000"]


@pytest.mark.parametrize("price", NO_PRICES)
def test_what_is_no_price_is_told_what_one_is(price: str) -> None:
    assert read(f"CNSGH,NLRTM,2026-01-01,{price}")[1:] == ([], [PRICE])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("XXXXX,NLRTM,2026-01-01,5", "orig_code: There is no port XXXXX."),
        ("CNSGH,nlrtm,2026-01-01,5", f"dest_code: {PORT}"),
        ("Shanghai\0,,2026-01-01,5", f"orig_code: {PORT} dest_code: {PORT}"),
        ("CNSGH,NLRTM,2026-02-30,5", DAY),
        ("CNSGH,NLRTM,20260101,5", DAY),
        ("CNSGH,NLRTM,2026-01-01T00:00:00Z,0", f"{DAY} {PRICE}"),
        ("CNSGH,NLRTM,2026-01-01", "Has 3 columns, not orig_code, dest_code, day, price."),
        ("CNSGH,NLRTM,2026-01-01,1,200.50", "Has 5 columns, not orig_code, dest_code, day, price."),
        ("CNSGH;NLRTM;2026-01-01;5", "Has 1 column, not orig_code, dest_code, day, price."),
        (b"CNSGH,NLRTM,2026-01-01,\x805", "Is not UTF-8: byte 24 is 0x80; save it as UTF-8."),
        ('CNSGH,"NLRTM,2026-01-01,5', "Has a quote that is not closed in its line, from character 7 on."),
        ("x" * 20_000, "Is longer than 10,000 bytes."),
    ],
)
def test_reason_is_true_of_the_row(line: str | bytes, reason: str) -> None:
    assert read("CNSGH,NLRTM,2026-01-01,5", line, "", "CNSGH,NLRTM,2026-01-01,5")[2] == [reason]
