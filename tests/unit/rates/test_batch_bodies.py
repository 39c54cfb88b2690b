"""Bodies of batches as lines, and lines as chunks."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InvalidInput
from rates.batches import planning
from rates.batches.bodies import BodyFormat, read_line
from rates.batches.errors import BatchTooLarge
from rates.batches.planning import Plan, day_count, plan_batch

HEADER = b"date_from,date_to,origin_code,destination_code,price,currency\n"
GOOD = {"date_from": "2026-01-01", "date_to": "2026-01-02", "origin_code": "CNSGH", "destination_code": "BEZEE"}


def planned(body: bytes, form: BodyFormat, max_rows: int = 100, max_prices: int = 10_000) -> Plan:
    return plan_batch(body, form, max_rows=max_rows, max_prices=max_prices)


def rows(plan: Plan) -> dict[int, Any]:
    """What the chunks say, by number of the row."""
    return {
        number: read_line(line, plan.columns)
        for chunk in plan.chunks
        for number, line in enumerate(chunk.text.split(b"\n"), chunk.first_line)
        if line
    }


def refusal(body: bytes, form: BodyFormat) -> str:
    with pytest.raises(InvalidInput) as caught:
        planned(body, form)
    (error,) = caught.value.errors
    assert error.field == "body"
    return error.detail


def test_all_formats_give_the_same_rows() -> None:
    wanted = [GOOD | {"price": Decimal("12.50")}, GOOD | {"price": Decimal(3), "currency": "EUR"}]
    texts = [json.dumps(GOOD)[:-1] + ', "price": 12.50}', json.dumps(GOOD)[:-1] + ', "price": 3, "currency": "EUR"}']
    array = ("[\n " + texts[0] + ",\r\n" + texts[1].replace(", ", ",\n") + " ]\n").encode()
    lines = "\r\n".join(texts).encode()
    table = HEADER + b"2026-01-01,2026-01-02,CNSGH,BEZEE,12.50,\n2026-01-01, 2026-01-02 ,CNSGH,BEZEE,3,EUR\r\n"
    assert rows(planned(array, BodyFormat.JSON)) == dict(enumerate(wanted, 1))
    assert rows(planned(lines, BodyFormat.NDJSON)) == dict(enumerate(wanted, 1))
    assert rows(planned(table, BodyFormat.CSV)) == dict(enumerate(wanted, 2))


@given(st.lists(st.recursive(st.text() | st.integers() | st.booleans(), st.lists, max_leaves=5), min_size=1), st.data())
def test_array_elements_survive_as_lines_whatever_they_are(elements: list[Any], data: st.DataObject) -> None:
    indent = data.draw(st.sampled_from([None, 1]))
    body = json.dumps(elements, indent=indent, ensure_ascii=data.draw(st.booleans())).encode(errors="replace")
    assert list(rows(planned(body, BodyFormat.JSON)).values()) == json.loads(body)


def test_blank_lines_are_no_rows_and_still_count_as_lines() -> None:
    plan = planned(b"\n{}\n \r\n\n{}\n\n\n", BodyFormat.NDJSON)
    assert plan.row_count == 2
    assert list(rows(plan)) == [2, 5]


def test_bom_and_quotes_and_order_of_columns_are_understood() -> None:
    body = b'\xef\xbb\xbfPrice,"date_from",date_to,origin_code,destination_code\n"1","2026-01-01",2026-01-02,A,"B,C"\n'
    assert rows(planned(body, BodyFormat.CSV)) == {
        2: GOOD | {"price": Decimal(1), "origin_code": "A", "destination_code": "B,C"}
    }


@pytest.mark.parametrize(
    ("body", "form", "detail"),
    [
        (b"", BodyFormat.JSON, "Expecting '[' at character 0"),
        (b'{"a": 1}', BodyFormat.JSON, "Expecting '[' at character 0"),
        (b"[{}", BodyFormat.JSON, "Expecting ',' at character 3"),
        (b"[{},]", BodyFormat.JSON, "Expecting value at character 4"),
        (b"[{}] {}", BodyFormat.JSON, "Something follows the array at character 5"),
        (b"[]", BodyFormat.JSON, "Has no rows."),
        (b'["\xff"]', BodyFormat.JSON, "Must be UTF-8; byte 2 is not."),
        (b"[" * 100_000, BodyFormat.JSON, "nested too deeply"),
        (b"", BodyFormat.NDJSON, "Has no rows."),
        (b"\n \n", BodyFormat.NDJSON, "Has no rows."),
        (b"", BodyFormat.CSV, "Has no rows."),
        (HEADER, BodyFormat.CSV, "Has no rows."),
        (HEADER + b"\n \r\r\n", BodyFormat.CSV, "Has no rows."),
        (b"date_from;date_to\n", BodyFormat.CSV, "it has 'date_from;date_to'."),
        (b"date_from,date_to,origin_code,destination_code\n", BodyFormat.CSV, "price is missing."),
        (HEADER.replace(b"currency", b"price"), BodyFormat.CSV, "price comes twice."),
        (HEADER.replace(b"currency", b"colour"), BodyFormat.CSV, "'colour' is no column."),
        (HEADER.replace(b"currency", b'"currency'), BodyFormat.CSV, "which has a quote that is not closed"),
        (b"2026-01-01,2026-01-02,CNSGH,BEZEE,five\n", BodyFormat.CSV, "it has '2026-01-01'"),
        (b"CNSGH,BEZEE,2026-01-01,2026-01-02,5\n", BodyFormat.CSV, "it has 'CNSGH', 'BEZEE'"),
    ],
)
def test_body_of_another_format_is_refused_and_says_where(body: bytes, form: BodyFormat, detail: str) -> None:
    assert detail in refusal(body, form)


@pytest.mark.parametrize(
    "line", [b"{", b'{"a": 1, "a": 2}', b'{"a": NaN}', b"\xff", b"[" * 100_000, b"1" * 5_000, b"[1e" + b"9" * 30 + b"]"]
)
def test_json_line_that_cannot_be_read_spoils_only_itself(line: bytes) -> None:
    plan = planned(b"{}\n" + line + b"\n{}", BodyFormat.NDJSON)
    assert plan.row_count == 3
    with pytest.raises(InvalidInput):
        read_line(line, [])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"1,2", "Has 2 columns, not date_from, date_to"),
        (b"1,2,3,4,5,6,7", "Has 7 columns, not date_from, date_to"),
        (b'"1,2,3,4,5,6', "Has a quote that is not closed"),
        (b"\xff,,,,,", "Is not UTF-8: byte 1 is 0xFF"),
        (b"x" * 10_001, "Is longer than 10,000 bytes."),
    ],
)
def test_csv_line_that_cannot_be_read_spoils_only_itself(line: bytes, said: str) -> None:
    plan = planned(HEADER + line + b"\n1,2,3,4,5,6", BodyFormat.CSV)
    assert plan.row_count == 2
    with pytest.raises(InvalidInput) as refused:
        read_line(line, plan.columns)
    assert refused.value.errors[0].detail.startswith(said)


def test_csv_without_a_header_has_the_columns_in_their_order() -> None:
    row = GOOD | {"price": Decimal("12.5")}
    assert rows(planned(b"\n2026-01-01,2026-01-02,CNSGH,BEZEE,12.5\n", BodyFormat.CSV)) == {2: row}
    assert rows(planned(b"2026-01-01,2026-01-02,CNSGH,BEZEE,12.5,EUR", BodyFormat.CSV)) == {
        1: row | {"currency": "EUR"}
    }
    with pytest.raises(BatchTooLarge):
        planned(b"2026-01-01,2026-01-02,CNSGH,BEZEE,12.5\n" * 101, BodyFormat.CSV)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("form", [BodyFormat.NDJSON, BodyFormat.CSV])
def test_any_end_of_line_ends_a_row(form: BodyFormat, end: str) -> None:
    lines = ["{}", "", "{}"] if form is BodyFormat.NDJSON else [HEADER.decode().strip(), "1,,,,,", "", "2,,,,,"]
    plan = planned(end.join(lines).encode(), form)
    assert (plan.row_count, len(lines) - max(rows(plan))) == (2, 0)


def test_mark_in_front_of_a_json_line_is_passed_over() -> None:
    line = b"\xef\xbb\xbf" + json.dumps(GOOD).encode()
    plan = planned(b"\n".join([line] * 2), BodyFormat.NDJSON)
    assert (list(rows(plan).values()), plan.price_count) == ([GOOD, GOOD], 4)


def test_price_that_is_no_number_stays_text_for_whoever_checks_it() -> None:
    columns = planned(HEADER + b"x,,,,,", BodyFormat.CSV).columns
    for price in ("1e3", "NaN", "1_000", "٣", "0x1", "+1", ".5"):
        assert read_line(f",,,,{price},".encode(), columns) == {"price": price}
    assert read_line(b",,,,-007.50,", columns) == {"price": Decimal("-7.50")}


@pytest.mark.parametrize("form", BodyFormat)
def test_row_too_many_refuses_the_batch(form: BodyFormat) -> None:
    def body(count: int) -> bytes:
        return {
            BodyFormat.JSON: b"[" + b",".join([b"1"] * count) + b"]",
            BodyFormat.NDJSON: b"1\n" * count,
            BodyFormat.CSV: HEADER + b"1,2,3,4,5,6\n" * count,
        }[form]

    assert planned(body(100), form).row_count == 100
    with pytest.raises(BatchTooLarge, match="at most 100 rows"):
        planned(body(101), form)


def test_prices_of_long_ranges_are_counted_before_they_are_made() -> None:
    line = json.dumps(GOOD | {"date_to": "2026-12-31"}).encode() + b"\n"
    assert planned(line * 10, BodyFormat.NDJSON).price_count == 3_650
    with pytest.raises(BatchTooLarge, match=r"3,650 daily prices.*at most 3,000"):
        planned(line * 10, BodyFormat.NDJSON, max_prices=3_000)


@pytest.mark.parametrize(
    "wrong",
    [
        {"date_to": "2025-12-31"},
        {"date_to": "2040-01-01"},
        {"date_to": "2026-02-30"},
        {"date_to": 5},
        {"date_to": None},
        {"date_from": "9999-99-99"},
    ],
)
def test_row_with_a_bad_range_counts_as_one_price(wrong: dict[str, Any]) -> None:
    assert day_count(GOOD | wrong) == 1
    assert day_count([GOOD]) == 1


def test_chunks_are_cut_by_rows_and_by_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "CHUNK_ROWS", 3)
    monkeypatch.setattr(planning, "CHUNK_PRICES", 10)
    short, long = (json.dumps(GOOD | {"date_to": day}).encode() for day in ("2026-01-01", "2026-01-10"))
    plan = planned(b"\n".join([short] * 4 + [long, b"", short]), BodyFormat.NDJSON)
    assert [(chunk.first_line, chunk.row_count, chunk.price_count) for chunk in plan.chunks] == [
        (1, 3, 3),
        (4, 2, 11),
        (6, 1, 1),
    ]
    assert list(rows(plan)) == [1, 2, 3, 4, 5, 7]
