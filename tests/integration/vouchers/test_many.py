"""Vouchers by the thousand: from files, by order, and out again as CSV."""

import io
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from pytest_django import Settings

from common.stores.sqlstate import STATEMENT_TIMEOUT
from common.text.csvrows import RejectedRow
from common.text.rfc3339 import EXAMPLE_INSTANT
from common.text.textfiles import NoText
from tests.counters import side_by_side
from tests.integration.vouchers.test_interruptions import Interrupted, interrupt_at
from tests.roads import django
from tests.vouchers import redeem, voucher
from vouchers.codes import generating, importing
from vouchers.codes.creating import insert_vouchers
from vouchers.codes.generating import generate_vouchers
from vouchers.codes.importing import ImportReport, import_vouchers
from vouchers.models import LIMIT_MAX, Generation, Profile, Voucher

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.RATE_LIMIT = "off"
    monkeypatch.setattr(importing, "SLICE", 3)
    monkeypatch.setattr(generating, "SLICE", 3)
    monkeypatch.setattr(generating, "wake", lambda job: None)


Imported = Callable[[str | bytes], ImportReport]


@pytest.fixture
def rejects() -> list[RejectedRow]:
    """Of all that the test imports."""
    return []


@pytest.fixture
def imported(tmp_path: Path, rejects: list[RejectedRow]) -> Imported:
    def work(content: str | bytes) -> ImportReport:
        path = tmp_path / "vouchers.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return import_vouchers(path, rejects.append)

    return work


def counts(report: ImportReport) -> tuple[int, int, int]:
    return report.created, report.present, report.rejected


HEADER = "code,amount,limit,starts_at,expires_at\n"


def test_rows_become_vouchers(imported: Imported) -> None:
    first = "A,5,300,2026-01-01T00:00:00.123456789Z,"
    report = imported(f'\ufeff{HEADER}{first}\r\n "B" ,"0.10" ,1,,\n\nC,7.5,2,,2027-01-01t00:00:00+01:00')
    assert counts(report) == (3, 0, 0)
    columns = ("code", "amount", "limit", "redeemed", "starts_at", "expires_at")
    assert list(Voucher.objects.order_by("code").values_list(*columns)) == [
        ("A", Decimal("5.00"), 300, 0, datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC), None),
        ("B", Decimal("0.10"), 1, 0, None, None),
        ("C", Decimal("7.50"), 2, 0, None, datetime(2026, 12, 31, 23, tzinfo=UTC)),
    ]


def test_bad_rows_are_refused_by_line_and_column_and_the_others_taken(
    imported: Imported, rejects: list[RejectedRow]
) -> None:
    report = imported(
        HEADER.encode()
        + b"A,5,300,,\n"
        + b"B C,5,300,,\n"
        + b"D,0,0,,\n"
        + b"E,1e3,1.0,,\n"
        + b"F,5\n"
        + b'"G,5,1,,\n'
        + b"H,5,1,2026-01-02T00:00:00Z,2026-01-01T00:00:00Z\n"
        + b"A,6,300,,\n"
        + b"I" * 20_000
        + b",5,1,,\n"
        + b"J,-0.0,-0,2026-01-01,\n"
        + b"K\xf6,5,1,,\n"
        + b"L,5,1\n"
        + b'"M",5,1,,\n'
    )
    number = "Must be a number from 0.01 to 99999999999999.99 with at most 2 decimal places."
    whole = f"limit: Must be a whole number from 1 to {LIMIT_MAX}: digits only, and no text."
    columns = "code, amount, limit, starts_at, expires_at."
    assert [tuple(reject) for reject in rejects] == [
        (3, "code: Must be 1 to 64 of A-Z, a-z, 0-9, dot, hyphen and underscore."),
        (4, f"amount: {number} {whole}"),
        (5, f"amount: Must be a number in digits like 10.50, and no text. {whole}"),
        (6, f"Has 2 columns, not {columns}"),
        (7, "Has a quote that is not closed in its line, from character 1 on."),
        (8, "expires_at: Must be after starts_at."),
        (9, "code: There is a voucher with this code and other terms."),
        (10, "Is longer than 10,000 bytes."),
        (
            11,
            f"amount: {number} {whole} starts_at: Must be a date-time of RFC 3339 like {EXAMPLE_INSTANT},"
            " with an offset or Z.",
        ),
        (12, "Is not UTF-8: byte 2 is 0xF6; save it as UTF-8."),
        (13, f"Has 3 columns, not {columns}"),
    ]
    assert counts(report) == (2, 0, 11)
    assert sorted(Voucher.objects.values_list("code", flat=True)) == ["A", "M"]


@pytest.mark.parametrize(
    "content",
    [
        "limit,code,amount\n300,A,5\n7,B,0.10\n",
        "\ufeff\n code , limit , amount \r\nA,300,5\r\nB,7,0.10\r\n",
        "expires_at,starts_at,code,limit,amount\n,,A,300,5\n,,B,7,0.10\n",
        '"LIMIT","Amount" ,"code"\r300,5,A\r7,0.10,B\r',
        "A,5,300\nB,0.10,7\n",
        "A,5,300,\nB,0.10,7,\n",
    ],
)
def test_header_says_the_order_of_columns(imported: Imported, content: str) -> None:
    assert counts(imported(content)) == (2, 0, 0)
    terms = {("A", Decimal("5.00"), 300), ("B", Decimal("0.10"), 7)}
    assert set(Voucher.objects.values_list("code", "amount", "limit")) == terms


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"code,price,limit", "'price' is no column, amount is missing."),
        (b"code,amount", "limit is missing."),
        (b"code,amount,limit,amount", "amount comes twice."),
        (b"code;amount;limit", "it has 'code;amount;limit'."),
        (b"code,limit,amount,", "a column has no name."),
        (b"code,limit,amount,\xff", "which is not UTF-8"),
        (b"A,five,300", "it has 'A', 'five', '300'."),
    ],
)
def test_first_line_that_is_not_understood_stops_before_the_first_row(
    imported: Imported, header: bytes, said: str
) -> None:
    with pytest.raises(NoText) as stopped:
        imported(b"\n" + header + b"\nA,5,300\n")
    assert str(stopped.value).startswith("Has neither a header nor a row in line 2")
    assert said in str(stopped.value)
    assert not Voucher.objects.exists()


def test_first_row_may_have_the_name_of_a_column_as_its_code(imported: Imported) -> None:
    assert counts(imported("code,5,300\namount,5,300\n")) == (2, 0, 0)


def test_line_that_is_no_text_is_refused_alone(imported: Imported) -> None:
    assert counts(imported(b"A,5,1\n\xff,5,1\nB,5,1\n")) == (2, 0, 1)


def test_second_run_changes_nothing(imported: Imported) -> None:
    content = "".join(f"V{n},5,10\n" for n in range(10))
    imported(content)
    redeem(1, "V1")
    assert counts(imported(content)) == (0, 10, 0)
    assert counts(imported(content.replace("V3,5", "V3,6"))) == (0, 9, 1)
    assert Voucher.objects.get(code="V3").amount == 5


@pytest.mark.parametrize("number", range(9))
def test_interrupted_import_is_finished_by_another_run(imported: Imported, number: int) -> None:
    content = "".join(f"V{n},5,10\n" for n in range(8))
    with suppress(Interrupted), connection.execute_wrapper(interrupt_at(number)):
        imported(content)
    assert Voucher.objects.count() in (0, 3, 6, 8)
    imported(content)
    assert Voucher.objects.count() == 8


def test_command_tells_counts_and_refusals(tmp_path: Path) -> None:
    path, rejects, out = tmp_path / "vouchers.csv", tmp_path / "rejects.csv", io.StringIO()
    path.write_text("A,5,1\n")
    call_command("import_vouchers", path, stdout=out)
    assert out.getvalue() == "1 created, 0 there already, 0 rejected\n"
    path.write_text("A,5,1\nB,5,0\n")
    errors = io.StringIO()
    with pytest.raises(CommandError, match="1 row was rejected"):
        call_command("import_vouchers", path, "--rejects", rejects, stdout=io.StringIO(), stderr=errors)
    assert "line 2: limit: Must be a whole number" in errors.getvalue()
    assert rejects.read_text().startswith("line,reason\n2,")
    with pytest.raises(CommandError, match=r"nothing.csv cannot be read"):
        call_command("import_vouchers", tmp_path / "nothing.csv")


def test_rejects_file_has_all_of_them_and_the_screen_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "SLICE", 1_000)
    path, rejects, errors = tmp_path / "vouchers.csv", tmp_path / "rejects.csv", io.StringIO()
    path.write_text("A,5,1\n" + "B,5,0\n" * 2_500)
    with pytest.raises(CommandError, match="2,500 rows were rejected"):
        call_command("import_vouchers", path, "--rejects", rejects, stdout=io.StringIO(), stderr=errors)
    lines = [int(line.partition(",")[0]) for line in rejects.read_text().splitlines()[1:]]
    assert lines == list(range(2, 2_502))
    assert len(errors.getvalue().splitlines()) == 20


def test_command_stops_before_it_writes_over_anything_or_guesses_columns(tmp_path: Path) -> None:
    path = tmp_path / "vouchers.csv"
    path.write_text("code,price,limit\nA,5,1\n")
    with pytest.raises(CommandError, match=r"vouchers.csv has neither .* in line 1: 'price' .* Nothing was imported\."):
        call_command("import_vouchers", path)
    with pytest.raises(CommandError, match="is the file that is imported"):
        call_command("import_vouchers", path, "--rejects", path)
    assert path.read_text().startswith("code,price")
    with pytest.raises(CommandError, match=r"missing.rejects.csv cannot be read or written: No such file"):
        call_command("import_vouchers", path, "--rejects", tmp_path / "missing" / "rejects.csv")


def test_reconcile_command_ends_with_0_or_names_what_is_wrong() -> None:
    voucher()
    redeem(1)
    out, errors = io.StringIO(), io.StringIO()
    call_command("reconcile", stdout=out)
    assert "agree" in out.getvalue()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE vouchers_profile DISABLE TRIGGER balances_follow_transfers")
        Profile.objects.update(balance=1)
        cursor.execute("ALTER TABLE vouchers_profile ENABLE TRIGGER balances_follow_transfers")
    with pytest.raises(CommandError) as ended:
        call_command("reconcile", stderr=errors)
    assert ended.value.returncode == 1
    assert "balance_is_the_sum_of_transfers: +490000000001: balance 1.00, transfers 5.00" in errors.getvalue()


def test_renew_gate_command_says_how_many() -> None:
    out = io.StringIO()
    call_command("renew_gate", stdout=out)
    assert out.getvalue() == "0 codes that are asked for cannot be redeemed\n"


# Generations


def order(**change: Any) -> Any:
    return django("POST", "/api/vouchers/generate", {"count": 8, "prefix": "XMAS-", "amount": 5, "limit": 1, **change})


def test_order_is_made_and_downloaded(imported: Imported) -> None:
    ordered = order(expires_at="2030-01-01T00:00:00Z")
    assert (ordered.status, ordered.json["status"], ordered.json["made"]) == (202, "running", 0)
    where = ordered.json["status_url"].removeprefix("http://testserver")
    assert ordered.headers["location"] == ordered.json["status_url"]
    assert django("GET", f"{where}/codes").status == 409
    assert generate_vouchers() is False
    done = django("GET", where).json
    assert (done["status"], done["made"], done["finished_at"] is not None) == ("done", 8, True)
    lines = b"".join(generated(where)).decode().splitlines()
    assert lines[0] == HEADER.strip()
    assert len({line.split(",")[0] for line in lines[1:]}) == Voucher.objects.count() == 8
    assert all(re.fullmatch(r"XMAS-[0-9A-HJKMNP-TV-Z]{13},5.00,1,,2030-01-01T00:00:00Z", line) for line in lines[1:])
    assert counts(imported("\n".join(lines))) == (0, 8, 0)


def generated(where: str) -> list[bytes]:
    from django.test import Client

    answer = Client().get(f"{where}/codes")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(answer.streaming_content)  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", range(10))
def test_killed_worker_neither_loses_nor_doubles_vouchers(number: int) -> None:
    order()
    with suppress(Interrupted), connection.execute_wrapper(interrupt_at(number)):
        generate_vouchers()
    generation = Generation.objects.get()
    assert generation.made == Voucher.objects.filter(generation=generation).count() <= 8
    generate_vouchers()
    assert Voucher.objects.filter(generation=Generation.objects.get()).count() == 8


def test_code_that_is_taken_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    voucher("XMAS-TAKEN")
    codes = iter(["TAKEN", "TAKEN", *map(str, range(20))])
    monkeypatch.setattr(generating, "random_code", lambda: next(codes))
    order()
    generate_vouchers()
    assert Generation.objects.get().made == Voucher.objects.exclude(generation=None).count() == 8


def test_codes_have_more_than_60_bits() -> None:
    assert len(set(generating.ALPHABET)) == 32
    assert 5 * generating.RANDOM_CHARACTERS >= 60
    assert len(generating.random_code()) == generating.RANDOM_CHARACTERS


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"count": 0}, "count"),
        ({"count": 1_000_001}, "count"),
        ({"prefix": "A B"}, "prefix"),
        ({"prefix": "A" * 33}, "prefix"),
        ({"limit": 0}, "limit"),
        ({"code": "A"}, "code"),
    ],
)
def test_bad_order_is_400(change: dict[str, Any], wrong: str) -> None:
    answer = order(**change)
    assert (answer.status, [error["field"] for error in answer.json["errors"]]) == (400, [wrong])
    assert not Generation.objects.exists()


def test_order_that_is_not_there_is_404() -> None:
    assert django("GET", "/api/vouchers/generate/1").status == 404
    assert django("GET", "/api/vouchers/generate/1/codes").status == 404


def test_repeat_of_an_order_with_a_key_is_one_order() -> None:
    body = {"count": 1, "amount": 5, "limit": 1}
    answers = [django("POST", "/api/vouchers/generate", body, Idempotency_Key="k") for _ in range(2)]
    assert answers[0].body == answers[1].body
    assert Generation.objects.count() == 1


def failing_in(*prefixes: str) -> Callable[..., Any]:
    """``insert_vouchers`` that fails for orders with these prefixes."""

    def insert_others(wanted: Any, generation_id: int) -> Any:
        if any(terms.code.startswith(prefixes) for terms in wanted):
            raise RuntimeError("this order is more than the code can bear")
        return insert_vouchers(wanted, generation_id)

    return insert_others


def place(ordered: Any) -> str:
    where: str = ordered.headers["location"]
    return where.removeprefix("http://testserver")


def states() -> list[tuple[str, str, int]]:
    return list(Generation.objects.order_by("id").values_list("prefix", "status", "made"))


def test_an_order_that_always_fails_is_given_up_and_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    where = place(order(prefix="BAD-"))
    order(prefix="GOOD-")
    monkeypatch.setattr(generating, "insert_vouchers", failing_in("BAD-"))
    assert generate_vouchers() is False
    assert states() == [("BAD-", "failed", 0), ("GOOD-", "done", 8)]
    answer = django("GET", where).json
    assert (answer["status"], answer["error"]) == (
        "failed",
        "Gave up after 5 attempts; the log says why, unless their workers were killed.",
    )
    assert len(generated(where)) == 1  # the header


def test_an_order_whose_workers_are_killed_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is killed counts nothing afterwards, so each attempt counts before it begins."""
    order(prefix="DEADLY-")

    def die(*args: Any) -> Any:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(generating, "insert_vouchers", die)
        for _ in range(5):
            with pytest.raises(SystemExit):
                generate_vouchers()
    generate_vouchers()
    assert states() == [("DEADLY-", "failed", 0)]


def test_an_outage_is_no_fault_of_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    order()

    def away(*args: Any) -> Any:
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr(generating, "insert_vouchers", away)
        for _ in range(10):
            with pytest.raises(OperationalError):
                generate_vouchers()
    generate_vouchers()
    assert states() == [("XMAS-", "done", 8)]


class TooMuch(OperationalError):
    """As the server ends a statement at its time limit."""

    sqlstate = STATEMENT_TIMEOUT


def test_an_order_that_takes_too_long_is_no_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def take_long(wanted: Any, generation_id: int) -> Any:
        tried.append(next(iter(wanted)).code[:4])
        if tried[-1] == "SLOW":
            raise TooMuch
        return insert_vouchers(wanted, generation_id)

    monkeypatch.setattr(generating, "insert_vouchers", take_long)
    order(prefix="SLOW-")
    order(prefix="GOOD-")
    generate_vouchers()
    assert tried == ["SLOW", "GOOD", "GOOD", "GOOD", "SLOW", "SLOW", "SLOW", "SLOW"]
    assert states() == [("SLOW-", "failed", 0), ("GOOD-", "done", 8)]


def test_an_order_can_be_cancelled_while_its_vouchers_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    where = place(order())
    answers = []

    def cancel_meanwhile(wanted: Any, generation_id: int) -> Any:
        inserted = insert_vouchers(wanted, generation_id)
        answers.extend(side_by_side(lambda: django("POST", f"{where}/cancel")))
        return inserted

    monkeypatch.setattr(generating, "insert_vouchers", cancel_meanwhile)
    assert generate_vouchers() is False
    assert [(answer.status, answer.json["made"]) for answer in answers] == [(200, 0)]
    assert states() == [("XMAS-", "cancelled", 0)]
    assert not Voucher.objects.exists()


def test_an_order_can_be_cancelled_and_what_exists_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    where = place(order())
    generate_vouchers(seconds=0.0)
    generating.SLICES.work_on_next()
    cancelled = django("POST", f"{where}/cancel")
    assert (cancelled.status, cancelled.json["status"], cancelled.json["made"]) == (200, "cancelled", 3)
    assert generate_vouchers() is False
    assert states() == [("XMAS-", "cancelled", 3)]
    assert len(b"".join(generated(where)).decode().splitlines()) == 4
    again = django("POST", f"{where}/cancel")
    assert (again.status, again.json["code"]) == (409, "generation-ended")
    assert django("POST", "/api/vouchers/generate/999/cancel").status == 404
