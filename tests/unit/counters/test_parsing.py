"""What is an increment, and what is refused with which field named."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import FieldError, InvalidInput
from counters.errors import TooManyIncrements
from counters.parsing import REPORTED_ERRORS, parse_increment, parse_increments
from counters.types import MAX_VALUE, Increment

KEY = "d018ef0b-dbd9-48f1-ac1a-eb4d90e57118"
KEY_BYTES = bytes.fromhex(KEY.replace("-", ""))
GOOD = json.dumps({"key": KEY, "value": 1})


def body(key: str = f'"{KEY}"', value: str = "1") -> bytes:
    """An increment with JSON texts as given."""
    return f'{{"key": {key}, "value": {value}}}'.encode()


def fields(parse: Callable[[bytes], Any], content: bytes | str) -> list[str]:
    """The fields that a refusal names."""
    with pytest.raises(InvalidInput) as refused:
        parse(content.encode() if isinstance(content, str) else content)
    assert all(error.detail for error in refused.value.errors)
    return [error.field for error in refused.value.errors]


@pytest.mark.parametrize("key", [KEY, KEY.upper(), KEY.title(), "00000000-0000-0000-0000-000000000001"])
def test_hyphenated_key_of_any_case_is_taken(key: str) -> None:
    assert parse_increment(body(f'"{key}"')) == (bytes.fromhex(key.replace("-", "")), 1)


@pytest.mark.parametrize(
    "key",
    [
        f'"{{{KEY}}}"',
        f'"urn:uuid:{KEY}"',
        f'"{KEY.replace("-", "")}"',
        '"00000000-0000-0000-0000-000000000000"',
        f'" {KEY}"',
        f'"{KEY} "',
        f'"{KEY}\\n"',
        f'"{KEY[:-1]}"',
        f'"{KEY}0"',
        f'"{KEY[:-1]}g"',
        f'"{KEY[:-1]}\u0663"',  # a digit, but not of ASCII
        f'"{KEY.replace("-", "_")}"',
        f'"d018ef0bd-bd9-48f1-ac1a-{KEY[24:]}"',
        '""',
        "null",
        "1",
        "true",
        "[]",
        "{}",
        f'["{KEY}"]',
    ],
)
def test_other_keys_are_refused(key: str) -> None:
    assert fields(parse_increment, body(key)) == ["key"]


@pytest.mark.parametrize("value", [1, 2**53 + 1, MAX_VALUE])
def test_whole_numbers_up_to_the_limit_are_exact(value: int) -> None:
    assert parse_increment(body(value=str(value)))[1] == value


@pytest.mark.parametrize(
    "value",
    [
        "0",
        "-0",
        "-1",
        "1.0",
        "1e3",
        "1E0",
        '"1"',
        "true",
        "false",
        "null",
        "[]",
        "[1]",
        "{}",
        str(2**63),
        str(2**64 + 1),
    ],
)
def test_other_values_are_refused(value: str) -> None:
    assert fields(parse_increment, body(value=value)) == ["value"]


@pytest.mark.parametrize("value", ["01", "+1", "1.", ".5", "0x1", "1_000", "NaN", "Infinity", "-Infinity", "9" * 5_000])
def test_what_is_no_number_of_json_is_refused(value: str) -> None:
    assert fields(parse_increment, body(value=value)) == ["body"]


def test_numbers_too_large_for_a_double_are_refused() -> None:
    assert fields(parse_increment, body(value="1e999")) == ["value"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{}", ["key", "value"]),
        (f'{{"key": "{KEY}"}}', ["value"]),
        ('{"value": 1}', ["key"]),
        (f'{{"key": "{KEY}", "value": 1, "by": 2}}', ["by"]),
        (f'{{"key": "{KEY}", "amount": 1}}', ["amount", "value"]),
        (f'{{"Key": "{KEY}", "value": 1}}', ["Key", "key"]),
        (f'{{"key": "{KEY}", "value": 1, "value": 1}}', ["value"]),
        (f'{{"key": "{KEY}", "key": "{KEY}", "value": 1}}', ["key"]),
        (f'{{"key": "{KEY}", "value": {{"a": 1, "a": 2}}}}', ["a"]),
        (f'{{"key": "{KEY}", "value": 1, "v\\u0061lue": 2}}', ["value"]),
        (f"[{GOOD}]", ["body"]),
        ("[]", ["body"]),
        ("1", ["body"]),
        ("null", ["body"]),
        ('"x"', ["body"]),
        (GOOD + GOOD, ["body"]),
        (GOOD + ",", ["body"]),
        (GOOD + "\x00", ["body"]),
        (GOOD[:-1], ["body"]),
        ("", ["body"]),
        (" ", ["body"]),
        (GOOD.encode("utf-16"), ["body"]),
        (GOOD.encode("utf-16-be"), ["body"]),
        (GOOD.encode("utf-32"), ["body"]),
        (GOOD.encode() + b"\xff", ["body"]),
        (b'{"key": "\xed\xa0\x80", "value": 1}', ["body"]),
        (f'{{"key": "\\ud800", "value": 1, "{"n" * 300}": 1}}', ["n" * 100, "key"]),
        (f"{{'key': '{KEY}', 'value': 1}}", ["body"]),
        (f'{{"key": "{KEY}", "value": 1,}}', ["body"]),
        (f'{{"key": "{KEY}", /* one */ "value": 1}}', ["body"]),
    ],
)
def test_strange_bodies_are_refused_by_name(content: bytes | str, named: list[str]) -> None:
    assert fields(parse_increment, content) == named


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_whitespace_around_the_object_and_a_mark_in_front_are_taken(mark: str) -> None:
    assert parse_increment(f"{mark}\r\n\t {GOOD} \n".encode()) == (KEY_BYTES, 1)
    with pytest.raises(TooManyIncrements):
        parse_increments(f"{mark}[{'{},' * 10_001}".encode())


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_refused_on_any_thread(opening: str) -> None:
    deep = (opening * 100_000).encode()
    assert fields(parse_increment, deep) == ["body"]
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(fields, parse_increments, deep).result(5) == ["body"]


def test_array_keeps_the_order_and_repeats() -> None:
    other = KEY.replace("d", "e")
    content = json.dumps([{"key": KEY, "value": 1}, {"value": 2, "key": other}, {"key": KEY, "value": 3}])
    found = parse_increments(content.encode())
    assert found == [(KEY_BYTES, 1), (bytes.fromhex(other.replace("-", "")), 2), (KEY_BYTES, 3)]


@pytest.mark.parametrize(
    ("items", "named"),
    [
        ([GOOD, GOOD, GOOD, body(value="0").decode()], ["[3].value"]),
        (["1", GOOD, "[]", "null"], ["[0]", "[2]", "[3]"]),
        (["{}"], ["[0].key", "[0].value"]),
        ([GOOD, f'{{"key": "{KEY}", "value": 1, "": 1}}'], ["[1]."]),
        ([GOOD, f'{{"key": "{KEY}", "key": 1, "value": 1}}'], ["key"]),
    ],
)
def test_array_names_index_and_field(items: list[str], named: list[str]) -> None:
    assert fields(parse_increments, f"[{','.join(items)}]") == named


@pytest.mark.parametrize("content", ["[]", "{}", GOOD, "null", "", "[" + GOOD, f"[{GOOD}][{GOOD}]", "\ufeff[]"])
def test_what_is_no_array_of_increments_is_refused(content: str) -> None:
    assert fields(parse_increments, content) == ["body"]


def test_only_the_first_errors_are_reported() -> None:
    named = fields(parse_increments, json.dumps([{}] * 10_000))
    assert len(named) == REPORTED_ERRORS
    assert named[-1] == f"[{REPORTED_ERRORS // 2 - 1}].value"


def test_ten_thousand_are_taken_and_one_more_is_not() -> None:
    assert len(parse_increments(f"[{','.join([GOOD] * 10_000)}]".encode())) == 10_000
    with pytest.raises(TooManyIncrements, match="More than 10,000"):
        parse_increments(f"[{','.join([GOOD] * 10_001)}]".encode())


def test_field_that_comes_twice_among_many_is_found_in_time() -> None:
    """Counting each name's occurrences took 6 s for 20,000 names, and ten minutes for what a body may have."""
    names = [f'"{number:05}":1' for number in range(150_000)]
    started = time.process_time()
    assert fields(parse_increments, f"[{{{','.join([*names, names[-1]])}}}]") == ["149999"]
    assert time.process_time() - started < 3


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(KEY),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["key", "value"]) | st.text(), inner),
    max_leaves=8,
)
json_bodies = json_values.map(lambda value: json.dumps(value).encode())
# Bytes that look like increments get further than bytes alone.
spoilt_bodies = st.tuples(st.integers(0, len(GOOD)), st.binary(max_size=4), st.integers(0, 4)).map(
    lambda cut: GOOD.encode()[: cut[0]] + cut[1] + GOOD.encode()[cut[0] + cut[2] :]
)
bodies = st.binary() | json_bodies | spoilt_bodies | spoilt_bodies.map(lambda content: b"[%b]" % content)


@given(bodies)
def test_anything_is_an_increment_or_an_error_with_a_field(content: bytes) -> None:
    for parse in (lambda found: [parse_increment(found)], parse_increments):
        refused, parsed = parsed_or_refused(parse, content)
        assert all(len(error.field) <= 110 and error.detail for error in refused)
        assert all(len(key) == 16 and any(key) for key, _ in parsed)
        assert all(type(value) is int and 1 <= value <= MAX_VALUE for _, value in parsed)
        assert refused or parsed


def parsed_or_refused(
    parse: Callable[[bytes], list[Increment]], content: bytes
) -> tuple[tuple[FieldError, ...], list[Increment]]:
    try:
        return (), parse(content)
    except InvalidInput as refusal:
        return refusal.errors, []


@given(st.uuids(allow_nil=False), st.integers(1, MAX_VALUE))
def test_every_increment_is_read_as_it_was_written(key: UUID, value: int) -> None:
    content = json.dumps({"value": value, "key": str(key)}).encode()
    assert parse_increment(content) == (key.bytes, value)
    assert parse_increments(b"[%b]" % content) == [(key.bytes, value)]
