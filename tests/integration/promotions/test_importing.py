"""A whole import in this process, from the file to what readers get."""

import codecs
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
import zstandard
from django.db import OperationalError, connection
from pytest_django import Settings

from promotions.imports import rejects
from promotions.imports.progress import import_progress
from promotions.imports.submitting import submit_import
from promotions.models import Chunk, ChunkDigests, Import, ImportStatus, Version, VersionTable
from promotions.serving.selectors import find_promotions
from promotions.steps import importing, planning
from promotions.steps.importing import _STEPS, work_on_imports
from promotions.steps.indexing import finish_indexing
from promotions.steps.loading import load_chunk
from promotions.types import Found
from tests.promotions import (
    DATE,
    accounting,
    finished,
    id_of,
    imported,
    rejects_of,
    row,
    rows,
    served,
    served_prices,
    stored_rows,
    submit,
)

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])


def test_row_is_served_as_promised() -> None:
    import_ = imported("0006c161-b9d2-4b62-988c-c25255a20965,31.457293,2018-06-24 14:50:03 +0200 CEST\n")
    (answer,) = find_promotions([UUID("0006c161-b9d2-4b62-988c-c25255a20965")])
    assert isinstance(answer, Found)
    assert answer.body is not None
    assert answer.body.decode() == (
        '{"id": "0006c161-b9d2-4b62-988c-c25255a20965", "price": 31.46, "expiration_date": "2018-06-24T12:50:03Z"}'
    )
    assert json.loads(answer.body)["price"] == 31.46
    assert (import_.status, answer.version) == (ImportStatus.PUBLISHED, import_.id)


@pytest.mark.parametrize(
    ("price", "shown"),
    [("0", "0.00"), ("0.005", "0.01"), ("0.004999", "0.00"), ("1e", None), ("999999999999.995", "1000000000000.00")],
)
def test_price_is_rounded_half_up(price: str, shown: str | None) -> None:
    imported(rows(range(10, 30)) + row(1, price))
    assert served(1) == shown


@pytest.mark.parametrize(
    "dress",
    [
        lambda text: "id,price,expiration_date\n" + text,
        lambda text: codecs.BOM_UTF8.decode() + text,
        lambda text: codecs.BOM_UTF8.decode() + "ID, Price, Expiration_Date\r\n" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.removesuffix("\n"),
        lambda text: text.replace("\n", "\r\n").removesuffix("\r\n"),
    ],
    ids=["header", "bom", "bom, header and crlf", "crlf", "no last newline", "crlf but the last"],
)
def test_dress_of_a_file_does_not_matter(dress: Callable[[str], str]) -> None:
    import_ = imported(dress(rows(range(5))))
    assert accounting(import_) == (5, 0, 0, 0)
    assert served_prices(range(6)) == ["1.50"] * 5 + [None]


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("\n", "\r\r\n"),
        lambda text: text[: len(text) // 2].replace("\n", "\r") + text[len(text) // 2 :],
        lambda text: "id,price,expiration_date\r" + text[: len(text) // 2] + text[len(text) // 2 :].replace("\n", "\r"),
    ],
    ids=["cr", "crcrlf", "cr, then lf", "header with cr, then lf, then cr"],
)
@pytest.mark.parametrize("chunk_bytes", [1, 300, 100_000])
def test_lone_return_ends_a_row(settings: Settings, rewrite: Callable[[str], str], chunk_bytes: int) -> None:
    settings.IMPORT_CHUNK_BYTES = chunk_bytes
    import_ = imported(rewrite(rows(range(40))))
    assert accounting(import_) == (40, 0, 0, 0)
    assert served_prices(range(41)) == ["1.50"] * 40 + [None]


def test_rows_that_end_in_returns_count_for_the_gates_and_the_tables(settings: Settings) -> None:
    settings.IMPORT_MAX_REJECT_SHARE, settings.IMPORT_ROWS_PER_TABLE = 0.3, 50
    content = rows(range(100)) + "bad\r" * 60
    import_ = imported(content + rows(range(100, 110)).replace("\n", "\r"))
    assert (import_.status, import_.line_count) == (ImportStatus.QUARANTINED, 170)
    assert "60 of 170 rows were rejected" in import_.error
    assert import_.table_count == 4
    assert [line for line, *_ in rejects_of(import_)] == list(range(101, 161))
    assert rejects_of(import_)[0][1] == len(rows(range(100)))


@pytest.mark.parametrize(
    "dress",
    [
        lambda id_, price, date: f'"{id_}","{price}","{date}"',
        lambda id_, price, date: f'"{id_}",{price},"{date}"',
        lambda id_, price, date: f"{id_},{price}000,2018-06-24 12:50:03+00",
        lambda id_, price, date: f"{id_},{price},2018-06-24 12:50:03.000000001 +0000 UTC m=+86400.000500000",
    ],
    ids=["all quoted", "text quoted", "as postgresql writes", "as go prints"],
)
def test_rows_of_other_programs_are_taken(dress: Callable[[object, str, str], str]) -> None:
    import_ = imported("".join(dress(id_of(number), "1.50", DATE) + "\n" for number in range(20)))
    assert accounting(import_) == (20, 0, 0, 0)
    (answer,) = find_promotions([id_of(7)])
    assert isinstance(answer, Found)
    assert answer.body is not None
    assert json.loads(answer.body) == {"id": str(id_of(7)), "price": 1.5, "expiration_date": "2018-06-24T12:50:03Z"}


def test_columns_are_taken_by_the_names_of_the_header(settings: Settings) -> None:
    settings.IMPORT_CHUNK_BYTES = 200
    lines = [f'{DATE}, "{id_of(number)}" ,{number}.25\n' for number in range(20)]
    import_ = imported('Expiration_Date,"ID",price\r\n' + "".join(lines))
    assert (import_.status, import_.columns) == (ImportStatus.PUBLISHED, "expiration_date,id,price")
    assert accounting(import_) == (20, 0, 0, 0)
    assert served_prices(range(20)) == [f"{number}.25" for number in range(20)]


def test_row_that_stands_where_a_header_may_is_a_row() -> None:
    import_ = imported("uuid,cost,expires\n" + rows(range(20)))
    assert accounting(import_) == (20, 1, 0, 0)
    assert [(line, reason) for line, _, _, reason, _ in rejects_of(import_)] == [(1, "bad_uuid")]


def test_every_row_is_accounted_for_with_its_place(settings: Settings) -> None:
    settings.IMPORT_MAX_REJECT_SHARE = 0.5
    lines = ["id,price,expiration_date\n", row(1), "\n", "one,two\n", row(2), row(1, "2.50"), f"x,1,{DATE}\n", "  \r\n"]
    import_ = imported("".join(lines))
    offsets = [sum(map(len, lines[:n])) for n in range(len(lines))]
    assert import_.status == ImportStatus.PUBLISHED, import_.error
    assert accounting(import_) == (2, 2, 1, 2)
    assert import_.line_count == 7
    assert rejects_of(import_) == [
        (2, None, "id", "duplicate_id", 6),
        (4, offsets[3], "", "column_count", None),
        (7, offsets[6], "id", "bad_uuid", None),
    ]
    assert stored_rows(import_.id) == [(id_of(2), "1.500000", 5), (id_of(1), "2.500000", 6)]


def test_source_is_described_by_hash_and_size() -> None:
    content = rows(range(50)).encode()
    import_ = imported(content)
    assert (import_.sha256, import_.bytes_total) == (hashlib.sha256(content).hexdigest(), len(content))


@pytest.mark.parametrize("rows_per_table", [10_000, 7])
def test_last_duplicate_wins_across_chunks_and_tables(settings: Settings, rows_per_table: int) -> None:
    settings.IMPORT_CHUNK_BYTES, settings.IMPORT_ROWS_PER_TABLE = 200, rows_per_table
    import_ = imported(rows(range(30), "1.00") + rows(range(10), "2.00") + rows(range(5), "3.00"))
    assert import_.status == ImportStatus.PUBLISHED, import_.error
    assert Chunk.objects.filter(source_import=import_).count() > 10
    assert (import_.table_count > 1) == (rows_per_table == 7)
    assert accounting(import_) == (30, 0, 15, 0)
    assert served_prices(range(30)) == ["3.00"] * 5 + ["2.00"] * 5 + ["1.00"] * 20
    kept = {line: kept_line for line, _, _, _, kept_line in rejects_of(import_)}
    assert kept == {n + 1: (41 if n < 5 else 31) + n for n in range(10)} | {n + 31: n + 41 for n in range(5)}
    assert not ChunkDigests.objects.exists()


def test_all_rows_with_one_id_leave_the_last() -> None:
    import_ = imported("".join(row(1, f"{price}") for price in range(100)))
    assert accounting(import_) == (1, 0, 99, 0)
    assert served(1) == "99.00"


def test_rejects_beyond_the_limit_are_counted_and_not_kept(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.IMPORT_MAX_REJECT_SHARE, settings.IMPORT_CHUNK_BYTES = 0.9, 50
    monkeypatch.setattr(rejects, "REJECTS_KEPT", 3)
    import_ = imported(rows(range(10)) + "bad\n" * 8)
    assert accounting(import_) == (10, 8, 0, 0)
    assert import_progress(import_.id).reject_reasons == {"column_count": 8}
    assert [line for line, *_ in rejects_of(import_)] == [11, 12, 13]


BAD_ROWS = {
    "wrong column count": ("a,b\n", "column_count"),
    "more columns": (row(1)[:-1] + ",more\n", "column_count"),
    "bad uuid": (f"not-a-uuid,1.5,{DATE}\n", "bad_uuid"),
    "uuid with braces": (f"{{{id_of(1)}}},1.5,{DATE}\n", "bad_uuid"),
    "negative price": (row(1, "-1.5"), "negative_price"),
    "price is no number": (row(1, "twelve"), "bad_price"),
    "price is nan": (row(1, "NaN"), "bad_price"),
    "price with exponent": (row(1, "1e3"), "bad_price"),
    "price too precise": (row(1, "1.1234567"), "price_precision"),
    "price too large": (row(1, "1234567890123"), "price_range"),
    "impossible date": (f"{id_of(1)},1.5,2018-02-30 05:32:31 +0200 CEST\n", "bad_date"),
    "hour 24": (f"{id_of(1)},1.5,2018-02-03 24:00:00 +0200 CEST\n", "bad_date"),
    "before year 1 in utc": (f"{id_of(1)},1.5,0001-01-01 00:00:00 +0200 CEST\n", "date_range"),
    "quote that is not closed": (f'"{id_of(1)},1.5,{DATE}\n', "bad_quotes"),
    "quote within a column": (f'{id_of(1)}",1.5,{DATE}\n', "bad_uuid"),
    "row in one quote": (f'"{id_of(1)},1.5,{DATE}"\n', "column_count"),
    "nul byte": (row(1, "1\0.5"), "nul_byte"),
    "10 MB line": ("x" * 10_000_000 + "\n", "line_too_long"),
    "10 MB row": (f"{id_of(1)},{'1' * 10_000_000},{DATE}\n", "line_too_long"),
}


@pytest.mark.parametrize(("bad", "reason"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_row_is_refused_and_its_neighbours_are_served(bad: str, reason: str) -> None:
    import_ = imported(rows(range(10, 30)) + bad + rows(range(40, 60)))
    assert import_.status == ImportStatus.PUBLISHED, import_.error
    assert accounting(import_) == (40, 1, 0, 0)
    assert [(line, why) for line, _, _, why, _ in rejects_of(import_)] == [(21, reason)]
    assert served_prices([1, 29, 40]) == [None, "1.50", "1.50"]


def test_quoted_newline_is_two_bad_lines_and_loses_no_neighbour() -> None:
    import_ = imported(rows(range(20)) + f'"{id_of(90)}\n",1.5,{DATE}\n' + rows(range(20, 40)))
    assert accounting(import_) == (40, 2, 0, 0)
    assert [line for line, *_ in rejects_of(import_)] == [21, 22]


def test_invalid_utf8_is_refused_and_shown() -> None:
    import_ = imported(rows(range(20)).encode() + b"\xff\xfe\xfd,1.5,x\n" + rows(range(20, 40)).encode())
    assert accounting(import_) == (40, 1, 0, 0)
    (kept,) = import_.rejects.all()
    assert (kept.reason, kept.raw) == ("invalid_utf8", r"\xff\xfe\xfd,1.5,x")


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_archive_is_imported_and_its_unpacked_copy_goes(
    pack: Callable[[bytes], bytes], settings: Settings, tmp_path: Path
) -> None:
    settings.IMPORT_CHUNK_BYTES = 300
    import_ = imported(pack(rows(range(40)).encode()), "promotions.csv.packed")
    assert accounting(import_) == (40, 0, 0, 0)
    assert served_prices([0, 39, 40]) == ["1.50", "1.50", None]
    assert list((tmp_path / "spool").rglob("*.csv")) == []
    assert Path(import_.path).exists()


@pytest.mark.parametrize("content", ["x", "x\n", ",\n", ",,\n", "\n", "\r\n", row(1)[:-1], "x\n\n"])
@pytest.mark.parametrize("chunk_bytes", [1, 1_000])
def test_tiny_files_are_read_like_large_ones(settings: Settings, content: str, chunk_bytes: int) -> None:
    settings.IMPORT_CHUNK_BYTES = chunk_bytes
    import_ = imported(content)
    assert import_.status in (ImportStatus.PUBLISHED, ImportStatus.QUARANTINED), import_.error
    assert sum(accounting(import_)) == import_.line_count == len(content.splitlines())


@pytest.fixture
def live() -> Import:
    """What must stay served whatever happens to the next file."""
    return imported(rows(range(100), "7.00"), "live.csv")


def refused(import_: Import, status: ImportStatus, reason: str) -> None:
    assert (import_.status, reason in import_.error) == (status, True), import_.error
    assert served_prices([0, 99]) == ["7.00", "7.00"]
    assert not Version.objects.filter(pk=import_.id).exists()
    assert import_.finished_at is not None


@pytest.mark.parametrize("content", ["", "\n\n \n", "id,price,expiration_date\n", "\ufeff"])
def test_file_without_a_row_keeps_the_live_data(live: Import, content: str) -> None:
    refused(imported(content), ImportStatus.QUARANTINED, "no valid row")


def test_file_of_rejects_keeps_the_live_data_and_tells_why(live: Import) -> None:
    import_ = imported(rows(range(100)) + "bad\n" * 900)
    refused(import_, ImportStatus.QUARANTINED, "900 of 1,000 rows were rejected")
    assert accounting(import_) == (100, 900, 0, 0)
    assert len(rejects_of(import_)) == 900


def test_shrunken_file_keeps_the_live_data(live: Import) -> None:
    refused(imported(rows(range(49))), ImportStatus.QUARANTINED, "shrink")


def test_file_of_half_the_rows_is_just_large_enough(live: Import) -> None:
    assert imported(rows(range(50))).status == ImportStatus.PUBLISHED


def test_shrink_gate_can_be_turned_off(live: Import, settings: Settings) -> None:
    settings.IMPORT_MAX_SHRINK_SHARE = 1.0
    assert imported(row(1)).status == ImportStatus.PUBLISHED


def test_duplicates_count_as_shrinking(live: Import) -> None:
    refused(imported(row(1) * 200), ImportStatus.QUARANTINED, "shrink")


def test_hopeless_file_is_stopped_early(live: Import, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.IMPORT_CHUNK_BYTES = 1_000
    monkeypatch.setattr("promotions.steps.publishchecks.EARLY_STOP_LINES", 500)
    import_ = imported("bad\n" * 5_000)
    refused(import_, ImportStatus.QUARANTINED, "were rejected")
    assert import_.chunks.filter(is_done=True).count() < 4
    assert import_.chunks.count() == 20


def test_binary_file_is_refused(live: Import) -> None:
    binary = bytes(range(256)) * 200
    refused(imported(binary), ImportStatus.QUARANTINED, "rows were rejected")


def tar_of(*contents: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for number, content in enumerate(contents):
            member = tarfile.TarInfo(f"{number}.csv")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    return file.getvalue()


REFUSED_FILES: dict[str, tuple[bytes | str, str]] = {
    "truncated gzip": (gzip.compress(rows(range(1_000)).encode())[:-20], "truncated or damaged gzip"),
    "damaged gzip": (b"\x1f\x8b" + b"junk" * 99, "truncated or damaged gzip"),
    "truncated zstd": (zstandard.compress(rows(range(1_000)).encode())[:-9], "truncated or damaged zstd"),
    "zip": (b"PK\x03\x04" + bytes(100), "zip archive"),
    "utf-16": (rows(range(9)).encode("utf-16"), "UTF-16"),
    "tar": (tar_of(rows(range(100)), rows(range(100))), "'promotions.csv' is a tar archive"),
    "tar.gz": (gzip.compress(tar_of(rows(range(100)), rows(range(100)))), "In 'promotions.csv' is a tar archive"),
    "tar.zst": (zstandard.compress(tar_of(rows(range(100)))), "In 'promotions.csv' is a tar archive"),
    "gzip in gzip": (gzip.compress(gzip.compress(rows(range(100)).encode())), "is another gzip file"),
    "utf-16 in gzip": (gzip.compress(rows(range(100)).encode("utf-16-le")), "UTF-16"),
    "header of other columns": ("id,price,expires_at\n" + rows(range(100)), "a header, 'id,price,expires_at', but"),
    "header with semicolons": ("id;price;expiration_date\n" + rows(range(100)), "'id;price;expiration_date', but"),
}


@pytest.mark.parametrize(("content", "reason"), REFUSED_FILES.values(), ids=REFUSED_FILES)
def test_file_that_is_no_text_fails_with_its_reason(
    live: Import, content: bytes | str, reason: str, tmp_path: Path
) -> None:
    refused(imported(content), ImportStatus.FAILED, reason)
    assert not any(path.is_file() for path in (tmp_path / "spool").rglob("*"))


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_zip_bomb_is_stopped_at_the_limit(
    live: Import, settings: Settings, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    settings.UNPACKED_MAX_BYTES = 5_000_000
    refused(imported(pack(bytes(50_000_000))), ImportStatus.FAILED, "limit of 5000000 bytes")
    assert not any(path.is_file() for path in (tmp_path / "spool").rglob("*"))


def test_endless_line_is_no_promotions_file(live: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "BINARY_LINE_BYTES", 3_000_000)
    refused(imported("x" * 4_000_000), ImportStatus.FAILED, "Line 1 is longer")


def half_loaded(content: str, monkeypatch: pytest.MonkeyPatch) -> Import:
    """An import that is planned and of which two chunks are loaded."""
    import_ = submit(content)
    loads = iter(range(2))
    with monkeypatch.context() as patch:

        def two_chunks(chunk: Chunk) -> None:
            if next(loads, None) is None:
                raise KeyboardInterrupt
            load_chunk(chunk)

        patch.setattr("promotions.steps.importing.load_chunk", two_chunks)
        with pytest.raises(KeyboardInterrupt):
            work_on_imports()
    import_.refresh_from_db()
    assert import_.status == ImportStatus.LOADING
    assert import_.chunks.filter(is_done=True).count() == 2
    return import_


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(path.read_bytes().replace(b"1.50", b"9.99")),
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
    ],
    ids=["changes", "shrinks", "is emptied", "is removed"],
)
def test_file_that_changes_while_it_is_read_fails(
    live: Import, settings: Settings, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    settings.IMPORT_CHUNK_BYTES = 1_000
    import_ = half_loaded(rows(range(200)), monkeypatch)
    change(Path(import_.path))
    refused(finished(import_), ImportStatus.FAILED, "submit it again")


def test_file_that_changes_between_two_plannings_fails(live: Import, settings: Settings) -> None:
    settings.IMPORT_CHUNK_BYTES = 1_000
    import_ = submit(rows(range(200)))
    first = {"offset": 0, "length": 1_020, "first_line": 1, "line_count": 12, "checksum": 1}
    Chunk.objects.create(source_import=import_, number=0, is_done=True, rows_loaded=12, **first)
    refused(finished(import_), ImportStatus.FAILED, "changed while it was being read")


def test_full_disk_ends_the_import_and_keeps_the_live_data(live: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("promotions.steps.importing.load_chunk", full)
    refused(imported(rows(range(100))), ImportStatus.FAILED, "The disk is full")


def test_full_disk_of_the_database_ends_the_import(live: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$")

    monkeypatch.setitem(_STEPS, ImportStatus.INDEXING, full)
    refused(imported(rows(range(100))), ImportStatus.FAILED, "The disk is full")


def test_defect_is_tried_five_times_and_then_ends_the_import(live: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(import_: Import) -> bool:
        raise ZeroDivisionError("a defect")

    monkeypatch.setitem(_STEPS, ImportStatus.INDEXING, broken)
    import_ = submit(rows(range(100)))
    for _ in range(4):
        with pytest.raises(ZeroDivisionError):
            work_on_imports()
    refused(finished(import_), ImportStatus.FAILED, "a defect")


def test_statement_that_never_succeeds_ends_the_import(live: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_long(import_: Import) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 1")
            try:
                cursor.execute("SELECT pg_sleep(1)")
            finally:
                cursor.execute("RESET statement_timeout")
        return True

    monkeypatch.setitem(_STEPS, ImportStatus.INDEXING, too_long)
    import_ = submit(rows(range(100)))
    for _ in range(4):
        with pytest.raises(OperationalError):
            work_on_imports()
    refused(finished(import_), ImportStatus.FAILED, "Gave up after 5 attempts")


def crash_load(chunk: Chunk) -> None:
    raise KeyboardInterrupt


def crash_index(table: VersionTable) -> None:
    raise KeyboardInterrupt


def crash_plan(import_: Import) -> bool:
    raise KeyboardInterrupt


@pytest.fixture(params=["load", "index", "plan"])
def poison(request: pytest.FixtureRequest) -> Iterator[str]:
    """A piece of work that ends its worker each time, until the test has had enough; what it is called."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "load":
            patch.setattr(importing, "load_chunk", crash_load)
        if request.param == "index":
            patch.setattr(importing, "index_version_table", crash_index)
        if request.param == "plan":
            patch.setitem(_STEPS, ImportStatus.QUEUED, crash_plan)
        yield {"load": "Loading lines 1 to 100", "index": "Indexing table 0", "plan": "Planning"}[request.param]


def work_until_crash() -> None:
    with pytest.raises(KeyboardInterrupt):
        work_on_imports()


def test_work_that_crashes_its_worker_five_times_ends_the_import(live: Import, poison: str) -> None:
    import_ = submit(rows(range(100)))
    for _ in range(5):
        work_until_crash()
    refused(finished(import_), ImportStatus.FAILED, f"{poison} ended its worker 5 times")


def test_work_that_crashes_its_worker_four_times_is_done_after_all(
    live: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_ = submit(rows(range(100)))
    with monkeypatch.context() as patch:
        patch.setattr(importing, "load_chunk", crash_load)
        for _ in range(4):
            work_until_crash()
    assert finished(import_).status == ImportStatus.PUBLISHED


def test_errors_and_outages_are_no_crashes(live: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(chunk: Chunk) -> None:
        raise OperationalError("the connection is lost")

    import_ = submit(rows(range(100)))
    with monkeypatch.context() as patch:
        patch.setattr(importing, "load_chunk", away)
        for _ in range(7):
            with pytest.raises(OperationalError):
                work_on_imports()
    assert import_.chunks.get().begun == 0
    assert finished(import_).status == ImportStatus.PUBLISHED


def test_outage_of_the_store_is_never_the_imports_fault(live: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    outages = iter(range(10))

    def away(import_: Import) -> bool:
        if next(outages, None) is not None:
            raise OperationalError("the connection is lost")
        return finish_indexing(import_)

    monkeypatch.setitem(_STEPS, ImportStatus.INDEXING, away)
    import_ = submit(rows(range(100)))
    for _ in range(10):
        with pytest.raises(OperationalError):
            work_on_imports()
    assert finished(import_).status == ImportStatus.PUBLISHED


def test_broken_import_does_not_hold_up_the_next(live: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    index = _STEPS[ImportStatus.INDEXING]
    first, second = submit(rows(range(100)), "a.csv"), submit(rows(range(100), "8.00"), "b.csv")

    def broken_for_first(import_: Import) -> bool:
        if import_.id == first.id:
            raise ZeroDivisionError("a defect")
        return index(import_)

    monkeypatch.setitem(_STEPS, ImportStatus.INDEXING, broken_for_first)
    for _ in range(4):
        with pytest.raises(ZeroDivisionError):
            work_on_imports()
    finished(second)
    assert second.status == ImportStatus.PUBLISHED
    assert served(1) == "8.00"


def test_upload_goes_after_success_and_stays_for_inspection_after_a_failure(live: Import, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text(rows(range(100)))
    bad.write_text("bad\n" * 10)
    finished(submit_import("good.csv", good, is_upload=True))
    finished(submit_import("bad.csv", bad, is_upload=True))
    assert (good.exists(), bad.exists()) == (False, True)
