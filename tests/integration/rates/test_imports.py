"""Files of regions, ports and prices: what is taken, what is refused with its line, and what a second run does."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from common.text import textfiles
from common.text.csvrows import NoRows, RejectedRow
from rates.errors import ImportedAlready, ImportRunning
from rates.models import Port, Price, PriceImport, Region, RegionClosure
from rates.places.placefiles import PlacesReport, import_ports, import_regions
from rates.places.regions import Written
from rates.prices import pricefiles
from rates.prices.pricefiles import import_prices
from rates.prices.rebuilding import prove_rollup
from tests.rates import port, region

pytestmark = pytest.mark.django_db(transaction=True)


def file(folder: Path, *lines: str, name: str = "file.csv", end: str = "\n") -> Path:
    path = folder / name
    path.write_bytes("".join(line + end for line in lines).encode("utf-8", "surrogateescape"))
    return path


def tree() -> dict[str, str | None]:
    return dict(Region.objects.values_list("slug", "parent__slug"))


# Regions


def test_regions_come_with_parents_in_any_order(tmp_path: Path) -> None:
    report = import_regions(
        file(tmp_path, "slug,name,parent_slug", 'c,"C, the deepest",b', "b,B,a", "a,A,", name="regions.csv", end="\r\n")
    )
    assert report.counts == {Written.CREATED: 3}
    assert tree() == {"a": None, "b": "a", "c": "b"}
    assert Region.objects.get(slug="c").name == "C, the deepest"
    assert RegionClosure.objects.count() == 6


def test_second_import_of_regions_changes_what_differs_only(tmp_path: Path) -> None:
    import_regions(file(tmp_path, "a,A,", "b,B,a", "c,C,a"))
    report = import_regions(file(tmp_path, "a,A,", "b,Better,a", "c,C,b"))
    assert report.counts == {Written.PRESENT: 1, Written.CHANGED: 2}
    assert tree() == {"a": None, "b": "a", "c": "b"}
    assert prove_rollup().holds


def test_bad_regions_are_refused_with_their_lines_and_the_others_written(tmp_path: Path) -> None:
    import_regions(file(tmp_path, "old,Old,"))
    report = import_regions(
        file(
            tmp_path,
            "slug,name,parent_slug",
            "good,Good,old",
            "orphan,Orphan,nowhere",
            "child,Child of the orphan,orphan",
            "x,X,y",
            "y,Y,x",
            "under_x,Waits for the circle,x",
            "self,Self,self",
            "good,Twice,",
            "bad slug,Bad,",
            "nameless,,",
            "two,columns",
            'open,"quote,',
            "latin,\udce4,",
            "blank,No\u00a0break,",
            "",
            "last,Last,good",
        )
    )
    assert tree() == {"old": None, "good": "old", "last": "good"}
    assert [row.line for row in report.rejects] == [*range(3, 16)]
    reasons = {row.line: row.reason for row in report.rejects}
    assert reasons[3] == "parent_slug: There is no region nowhere."
    assert "under itself" in reasons[5]
    assert reasons[9] == "slug: good came before, and may come once only."
    assert reasons[10] == "slug: Must be 1 to 100 of A-Z, a-z, 0-9, hyphen and underscore."
    assert reasons[11] == "name: Is required."
    assert reasons[12] == "Has 2 columns, not slug, name, parent_slug."
    assert reasons[14] == "Is not UTF-8: byte 7 is 0xE4; save it as UTF-8."
    assert reasons[15] == "name: Has the character U+00A0, which cannot be printed."


def test_import_that_would_close_a_circle_moves_nothing(tmp_path: Path) -> None:
    import_regions(file(tmp_path, "a,A,", "b,B,a", "c,C,b"))
    report = import_regions(file(tmp_path, "a,A,c"))
    assert [row.line for row in report.rejects] == [1]
    assert tree() == {"a": None, "b": "a", "c": "b"}


# Ports


def test_ports_are_created_and_moved_with_their_rollups(tmp_path: Path) -> None:
    region("a"), region("b")
    assert import_ports(file(tmp_path, "code,name,parent_slug", "AAAAA,A,a", "BBBBB,B,b")).counts == {
        Written.CREATED: 2
    }
    import_prices(file(tmp_path, "AAAAA,BBBBB,2026-01-01,5", name="prices.csv"))
    assert import_ports(file(tmp_path, "AAAAA,A,b", "BBBBB,B,b")).counts == {Written.CHANGED: 1, Written.PRESENT: 1}
    assert prove_rollup() == (0, 0, [])


def test_bad_ports_are_refused_with_their_lines(tmp_path: Path) -> None:
    region("a")
    report = import_ports(
        file(
            tmp_path,
            "code,name,parent_slug",
            "AAAAA,A,a",
            "AAAAA,Again,a",
            "BBBBB,B,nowhere",
            "abcde,C,a",
            "AB,D,a",
            "CCCCC,C,",
        )
    )
    assert [row.line for row in report.rejects] == [3, 4, 5, 6, 7]
    assert list(Port.objects.values_list("code", flat=True)) == ["AAAAA"]


@pytest.mark.parametrize(
    ("imports", "first", "said"),
    [
        (
            import_regions,
            "slug,name,parent",
            ": 'parent' is no column, parent_slug is missing. The columns are slug, name,",
        ),
        (import_regions, "NAME,SLUG,PARENT", ": 'PARENT' is no column, parent_slug is missing."),
        (import_regions, "slug,name", ": parent_slug is missing."),
        (import_regions, "a,A", ": it has 'a', 'A'. A row has 3 values. The columns are slug, name, parent_slug,"),
        (
            import_regions,
            "north sea,North Sea,",
            ". slug: Must be 1 to 100 of A-Z, a-z, 0-9, hyphen and underscore. The",
        ),
        (
            import_ports,
            "CODES,NAME,REGION",
            ": 'CODES' is no column, 'REGION' is no column, code is missing, parent_slug",
        ),
        (import_ports, "SEGOT,Name,a", ": 'SEGOT' is no column, 'a' is no column, code is missing, parent_slug is mis"),
        (
            import_ports,
            "segot,Gothenburg,a",
            ": it has 'segot', 'Gothenburg', 'a'. code: Must be a port code: 5 of A-Z",
        ),
    ],
)
def test_first_line_of_places_that_may_be_a_header_is_never_taken_for_a_row(
    tmp_path: Path, imports: Callable[[Path], PlacesReport], first: str, said: str
) -> None:
    region("a")
    with pytest.raises(NoRows) as refused:
        imports(file(tmp_path, first, "AAAAA,AAAAA,a"))
    assert said in str(refused.value)
    assert (Region.objects.count(), Port.objects.count()) == (1, 0)


# Prices


@pytest.fixture
def ports() -> None:
    """AAAAA and BBBBB."""
    where = region("a")
    port("AAAAA", where), port("BBBBB", where)


def stored() -> list[tuple[str, str, str, Decimal]]:
    codes = dict(Port.objects.values_list("pk", "code"))
    rows = Price.objects.order_by("id").values_list("origin_id", "destination_id", "day", "price_usd")
    return [(codes[origin], codes[destination], str(on), price) for origin, destination, on, price in rows]


@pytest.mark.usefixtures("ports")
def test_prices_are_added_and_bad_rows_told_with_their_lines(tmp_path: Path) -> None:
    rejects: list[RejectedRow] = []
    path = file(
        tmp_path,
        "orig_code,dest_code,day,price",
        "AAAAA,BBBBB,2026-01-01,5",
        "AAAAA,BBBBB,2026-01-01,5",
        ' AAAAA , "BBBBB",2026-01-02,0007.50\r',
        "AAAAA,CCCCC,2026-01-01,5",
        "AAAAA,BBBBB,2026-02-30,5",
        "AAAAA,BBBBB,20260101,5",
        "AAAAA,BBBBB,2026-01-01,0",
        "AAAAA,BBBBB,2026-01-01,0.00",
        "AAAAA,BBBBB,2026-01-01,-5",
        "AAAAA,BBBBB,2026-01-01,5.001",
        "AAAAA,BBBBB,2026-01-01,1e3",
        "AAAAA,BBBBB,2026-01-01,10000000000",
        "AAAAA,BBBBB,2026-01-01,five",
        "AAAAA,BBBBB,2026-01-01,\u0665",
        "AAAAA,BBBBB,2026-01-01,5\t6",
        "AAAAA,BBBBB,2026-01-01",
        "AAAAA,BBBBB,2026-01-01,5,USD",
        'AAAAA,"BBBBB,2026-01-01,5',
        "\\.",
        "",
        "'; DROP TABLE rates_price; --,BBBBB,2026-01-01,5",
        "AAAAA,BBBBB,2026-01-03,9999999999.99",
    )
    assert import_prices(path, on_reject=rejects.append) == (4, 17)
    assert stored() == [
        ("AAAAA", "BBBBB", "2026-01-01", Decimal("5.00")),
        ("AAAAA", "BBBBB", "2026-01-01", Decimal("5.00")),
        ("AAAAA", "BBBBB", "2026-01-02", Decimal("7.50")),
        ("AAAAA", "BBBBB", "2026-01-03", Decimal("9999999999.99")),
    ]
    assert [row.line for row in rejects] == [*range(5, 21), 22]
    assert rejects[0].reason == "dest_code: There is no port CCCCC."
    assert rejects[1].reason.startswith("day: ")
    assert all(row.reason.startswith("price: ") for row in rejects[3:11])
    assert prove_rollup().holds


@pytest.mark.usefixtures("ports")
def test_same_content_is_refused_unless_it_is_meant(tmp_path: Path) -> None:
    import_prices(file(tmp_path, "AAAAA,BBBBB,2026-01-01,5", name="first.csv"))
    second = file(tmp_path, "AAAAA,BBBBB,2026-01-01,5", name="second.csv")
    with pytest.raises(ImportedAlready, match=r"first\.csv"):
        import_prices(second)
    assert Price.objects.count() == 1
    import_prices(second, again=True)
    assert Price.objects.count() == 2
    assert list(PriceImport.objects.order_by("repeat").values_list("repeat", "rows_added")) == [(0, 1), (1, 1)]


class Killed(BaseException):
    """Nothing of ours catches it."""


@pytest.mark.usefixtures("ports")
@pytest.mark.parametrize("slices", range(3))
def test_import_that_was_killed_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slices: int
) -> None:
    monkeypatch.setattr(pricefiles, "SLICE", 2)
    rows = [f"AAAAA,BBBBB,2026-01-0{number},{number}" for number in (4, 2, 5, 1, 3)]
    path = file(tmp_path, "orig_code,dest_code,day,price", *rows, "bad", "AAAAA,LATER,2026-01-01,9")
    save, saved = PriceImport.save, count()

    def dying_save(running: PriceImport, **kwargs: Any) -> None:
        """After a slice's prices, before its commit."""
        save(running, **kwargs)
        if not kwargs and next(saved) == slices:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(PriceImport, "save", dying_save)
        with pytest.raises(Killed):
            import_prices(path)
    assert Price.objects.count() == 2 * slices
    port("LATER", Region.objects.get())
    rejects: list[RejectedRow] = []
    assert import_prices(path, on_reject=rejects.append) == (5, 2)
    assert [price for *_, price in stored()] == [1, 2, 3, 4, 5]
    assert [row.line for row in rejects] == [7, 8]
    assert prove_rollup().holds


@pytest.mark.usefixtures("ports")
def test_second_process_with_one_file_is_refused(tmp_path: Path) -> None:
    path = file(tmp_path, "AAAAA,BBBBB,2026-01-01,5", "AAAAA,BBBBB,2026-01-01,6")

    def on_own_connection() -> None:
        import_prices(path)
        connections.close_all()

    def other_process(phase: str, done: int, total: int) -> None:
        if phase == "added" and not Price.objects.exists():
            with ThreadPoolExecutor(1) as pool:
                pool.submit(on_own_connection).result(30)

    with pytest.raises(ImportRunning):
        import_prices(path, on_progress=other_process)
    assert Price.objects.count() == 2


@pytest.mark.usefixtures("ports")
def test_lines_are_counted_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textfiles, "BLOCK_BYTES", 30)
    rows = [f"AAAAA,BBBBB,2026-01-01,{number}" if number % 7 else f"bad {number}" for number in range(1, 50)]
    rejects: list[RejectedRow] = []
    seen: list[tuple[str, int, int]] = []
    path = file(tmp_path, *rows)
    report = import_prices(path, on_reject=rejects.append, on_progress=lambda *each: seen.append(each))
    assert report == (42, 7)
    assert [row.line for row in rejects] == list(range(7, 50, 7))
    size = path.stat().st_size
    assert ("read", size, size) in seen
    assert seen[-1] == ("added", 42, 42)


@pytest.mark.usefixtures("ports")
def test_file_of_which_nothing_was_added_may_come_again(tmp_path: Path) -> None:
    path = file(tmp_path, "AAAAA,LATER,2026-01-01,5", "AAAAA,BBBBB,never,5")
    assert import_prices(path) == (0, 2)
    port("LATER", Region.objects.get())
    assert import_prices(path) == (1, 1)
    with pytest.raises(ImportedAlready):
        import_prices(path)
    assert Price.objects.count() == 1


@pytest.mark.usefixtures("ports")
def test_import_that_is_reopened_twice_keeps_the_ports_of_the_first(tmp_path: Path) -> None:
    path = file(tmp_path, "AAAAA,LATER,2026-01-01,5", "AAAAA,AFTER,2026-01-01,6")
    import_prices(path)
    port("LATER", Region.objects.get())

    def die(phase: str, done: int, total: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        import_prices(path, on_progress=die)
    port("AFTER", Region.objects.get())
    assert import_prices(path) == (1, 1)


# Commands


def run(name: str, *arguments: object) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(name, *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_commands_take_three_files_and_tell_counts(tmp_path: Path) -> None:
    assert run("import_regions", file(tmp_path, "a,A,"))[0] == "1 created, 0 changed, 0 present, 0 rejected\n"
    assert run("import_ports", file(tmp_path, "AAAAA,A,a"))[0] == "1 created, 0 changed, 0 present, 0 rejected\n"
    assert run("import_prices", file(tmp_path, "AAAAA,AAAAA,2026-01-01,5"))[0] == "1 added, 0 rejected\n"
    assert "are what prices and regions say" in run("rebuild_rollup", "--check")[0]


@pytest.mark.parametrize("name", ["prices.csv", "link.csv"])
def test_rejects_do_not_go_into_the_file_that_is_imported(tmp_path: Path, name: str) -> None:
    path = file(tmp_path, "AAAAA,AAAAA,2026-01-01,5", name="prices.csv")
    (tmp_path / "link.csv").symlink_to(path)
    with pytest.raises(CommandError, match="is the file that is imported"):
        run("import_prices", path, "--rejects", tmp_path / name)
    assert path.read_text() == "AAAAA,AAAAA,2026-01-01,5\n"


def test_commands_fail_with_reasons_for_what_they_refuse(tmp_path: Path) -> None:
    region("a")
    rejects = tmp_path / "rejects.csv"
    for name, line, *options in (
        ("import_regions", "b,B,nowhere"),
        ("import_ports", "AAAAA,A,nowhere"),
        ("import_prices", "AAAAA,AAAAA,2026-01-01,5", "--rejects", rejects),
    ):
        with pytest.raises(CommandError, match="1 row was rejected") as failure:
            run(name, file(tmp_path, line), *options)
        assert failure.value.returncode == 1
    assert rejects.read_text().splitlines()[0] == "line,reason"
    assert rejects.read_text().splitlines()[1].startswith("1,orig_code: There is no port AAAAA.")
    for name in ("import_regions", "import_ports", "import_prices"):
        with pytest.raises(CommandError, match="cannot be"):
            run(name, tmp_path / "missing.csv")
    port("AAAAA", Region.objects.get())
    run("import_prices", file(tmp_path, "AAAAA,AAAAA,2026-01-01,5"))
    with pytest.raises(CommandError, match="With --again"):
        run("import_prices", file(tmp_path, "AAAAA,AAAAA,2026-01-01,5"))
