"""What all commands that import files take alike, and refuse alike: by the header, through pipes, in words."""

import gzip
import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from rates.models import Port, Price, PriceImport, Region
from tests.rates import port, region
from vouchers.models import Voucher

pytestmark = pytest.mark.django_db(transaction=True)


class Importer(NamedTuple):
    """Attributes: columns: in the documented order; row: a good one."""

    command: str
    columns: str
    row: str


IMPORTERS = [
    Importer("import_regions", "slug,name,parent_slug", "baltic,Baltic,europe"),
    Importer("import_ports", "code,name,parent_slug", "PLGDN,Gdansk,europe"),
    Importer("import_prices", "orig_code,dest_code,day,price", "AAAAA,BBBBB,2026-01-01,1200.5"),
    Importer("import_vouchers", "code,amount,limit", "SUMMER,5,300"),
]
WRITTEN: dict[str, Any] = {
    "import_regions": ("baltic", "Baltic", "europe"),
    "import_ports": ("PLGDN", "Gdansk", "europe"),
    "import_prices": ("AAAAA", "BBBBB", "2026-01-01", Decimal("1200.50")),
    "import_vouchers": ("SUMMER", Decimal(5), 300),
}


@pytest.fixture(params=IMPORTERS, ids=[each.command for each in IMPORTERS])
def importer(request: pytest.FixtureRequest) -> Importer:
    europe = region("europe")
    port("AAAAA", europe), port("BBBBB", europe)
    found: Importer = request.param
    return found


def run(importer: Importer, path: Path | str, *options: object) -> str:
    out, err = io.StringIO(), io.StringIO()
    call_command(importer.command, *map(str, (path, *options)), stdout=out, stderr=err)
    return out.getvalue() + err.getvalue()


def written() -> list[Any]:
    """All that an import can write, but for what the fixture has."""
    codes = dict(Port.objects.values_list("pk", "code"))
    prices = Price.objects.values_list("origin_id", "destination_id", "day", "price_usd")
    return [
        *Region.objects.exclude(slug="europe").values_list("slug", "name", "parent__slug"),
        *Port.objects.exclude(code__in=("AAAAA", "BBBBB")).values_list("code", "name", "region__slug"),
        *((codes[origin], codes[to], str(day), price) for origin, to, day, price in prices),
        *Voucher.objects.values_list("code", "amount", "limit"),
    ]


def backwards(text: str) -> str:
    return ",".join(reversed(text.split(",")))


def quoted(text: str) -> str:
    return ",".join(f'"{value}"' for value in text.split(","))


def spaced(text: str) -> str:
    return ",".join(f' "{value}"\t ' for value in text.upper().split(","))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize(
    "form",
    [
        lambda columns, row: ["", columns, "", row, ""],
        lambda columns, row: [row],
        lambda columns, row: ["\ufeff" + backwards(columns.upper()), backwards(row)],
        lambda columns, row: ["\ufeff" + quoted(columns), quoted(row)],
        lambda columns, row: [spaced(backwards(columns)), backwards(row)],
    ],
    ids=["blank lines", "no header", "another order", "quoted", "blanks"],
)
def test_values_come_under_the_columns_that_the_header_names(
    tmp_path: Path, importer: Importer, form: Any, end: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(end.join(form(importer.columns, importer.row)).encode())
    run(importer, path)
    assert written() == [WRITTEN[importer.command]]


@contextmanager
def on_standard_input(content: bytes) -> Iterator[None]:
    reader, writer = os.pipe()
    before = os.dup(0)
    os.dup2(reader, 0)
    os.close(reader)
    sender = threading.Thread(target=_send, args=(writer, content))
    sender.start()
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)
        sender.join()


def _send(descriptor: int, content: bytes) -> None:
    with open(descriptor, "wb") as pipe:
        pipe.write(content)


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_what_comes_through_a_pipe_is_imported(importer: Importer, name: str) -> None:
    with on_standard_input(f"{importer.columns}\n{importer.row}\n".encode()):
        assert run(importer, name).startswith("1 ")
    assert written() == [WRITTEN[importer.command]]


UNUSABLE = {
    "empty": (b"", "rows.csv is empty. Nothing was imported."),
    "mark only": (b"\xef\xbb\xbf", "rows.csv has no rows. Nothing was imported."),
    "blank": (b"\n \r\n\r", "rows.csv has no rows. Nothing was imported."),
    "header only": (b"{columns}\n\n", "rows.csv has no rows. Nothing was imported."),
    "gzip": (gzip.compress(b"{columns}\n"), "rows.csv is a gzip file; unpack it. Nothing was imported."),
    "workbook": (
        b"PK\x03\x04\x14\0",
        "is a zip archive or an Excel workbook; unpack it or save it as CSV. N",
    ),
    "UTF-16": ("{columns}\n{row}\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8. Nothing was imported."),
    "NUL": (b"{columns}\n{row}\n\0\n", "it has a NUL byte in line 3; save it in UTF-8. Nothing was imported."),
    "misspelt": (b"{columns}s\n{row}\n", "s' is no column, "),
    "one more": (b"{columns},colour\n{row},red\n", "in line 1: 'colour' is no column. The columns are "),
    "twice": (b"{columns},{columns}\n{row},{row}\n", " comes twice, "),
    "semicolons": (b"a;b;c\n1;2;3\n", "has neither a header nor a row in line 1: it has 'a;b;c'. A row has "),
    "foreign": (b"Kode,Navn,Ordning,Pris\n{row}\n", "in line 1: it has 'Kode', 'Navn', 'Ordning', 'Pris'. "),
    "cp1252": (
        b"K\xf6ln{columns}\n{row}\n",
        "in line 1, which is not UTF-8: byte 2 is 0xF6; save it as UTF-8. Nothing",
    ),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_file_that_cannot_be_meant_stops_before_anything_is_written(
    tmp_path: Path, importer: Importer, kind: str
) -> None:
    content, said = UNUSABLE[kind]
    path = tmp_path / "rows.csv"
    path.write_bytes(content.replace(b"{columns}", importer.columns.encode()).replace(b"{row}", importer.row.encode()))
    with pytest.raises(CommandError) as refused:
        run(importer, path)
    assert said in str(refused.value)
    assert refused.value.returncode == 1
    assert (written(), PriceImport.objects.count()) == ([], 0)


def test_path_that_cannot_be_read_is_named(tmp_path: Path, importer: Importer) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, why in (("gone.csv", "No such file or directory"), (".", "Is a directory"), ("loop", "Too many levels")):
        with pytest.raises(CommandError, match=rf"^{tmp_path / name} cannot be read or written: {why}.*\.$"):
            run(importer, tmp_path / name)


def test_spool_without_room_is_named(tmp_path: Path, importer: Importer, settings: Settings) -> None:
    settings.SPOOL_DIR = tmp_path / "gone"
    with (
        on_standard_input(f"{importer.row}\n".encode()),
        pytest.raises(CommandError, match=r"gone.* cannot be read or written: No such file or directory\."),
    ):
        run(importer, "-")
