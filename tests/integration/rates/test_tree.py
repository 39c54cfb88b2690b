"""The tree, its closure and rollups, whoever writes: here by plain models and SQL, as the admin and psql do."""

from decimal import Decimal
from itertools import permutations

import pytest
from django.db import IntegrityError, connection
from django.db.models import Sum

from rates.errors import ComesTwice, ParentNotFound, RegionCycle
from rates.models import NO_CYCLE, PORT_HAS_PRICES, DataVersion, Level, Port, Price, Region, RegionClosure, Rollup
from rates.places.ports import write_ports
from rates.places.regions import Written, write_regions
from rates.prices.rebuilding import prove_rollup, repair_rollup
from rates.prices.services import add_prices
from rates.types import PortTerms, PriceRange, RegionTerms
from tests.rates import add, day, port, region

ONE, THREE = Decimal(1), Decimal(3)

pytestmark = pytest.mark.django_db(transaction=True)


def closure() -> set[tuple[str, str, int]]:
    return set(RegionClosure.objects.values_list("ancestor__slug", "descendant__slug", "depth"))


def constraint(error: pytest.ExceptionInfo[IntegrityError]) -> str:
    return str(error.value.__cause__.diag.constraint_name)  # type: ignore[union-attr]


@pytest.mark.parametrize("order", list(permutations("abcd"))[::5])
def test_regions_written_in_any_order_have_the_same_closure(order: tuple[str, ...]) -> None:
    parents = {"a": None, "b": "a", "c": "b", "d": "a"}
    outcomes = write_regions([RegionTerms(slug, slug, parents[slug]) for slug in order])
    assert outcomes == [Written.CREATED] * 4
    itself = {(slug, slug, 0) for slug in "abcd"}
    assert closure() == itself | {("a", "b", 1), ("a", "c", 2), ("b", "c", 1), ("a", "d", 1)}


def test_rows_of_one_statement_may_come_children_first() -> None:
    rows = [Region(pk=2, slug="b", name="b", parent_id=1), Region(pk=1, slug="a", name="a")]
    Region.objects.bulk_create(rows)
    assert closure() == {("a", "a", 0), ("b", "b", 0), ("a", "b", 1)}


def test_region_moves_with_all_that_is_under_it() -> None:
    top, other = region("top"), region("other")
    middle = region("middle", top)
    region("leaf", middle)
    Region.objects.filter(pk=middle.pk).update(parent=other)
    itself = {(slug, slug, 0) for slug in ("top", "other", "middle", "leaf")}
    assert closure() == itself | {("other", "middle", 1), ("other", "leaf", 2), ("middle", "leaf", 1)}
    Region.objects.filter(pk=middle.pk).update(parent=None)
    assert closure() == itself | {("middle", "leaf", 1)}


@pytest.mark.parametrize("depth", [0, 1, 2, 30])
def test_circle_is_refused_by_the_database(depth: int) -> None:
    top = last = region("r0")
    for number in range(depth):
        last = region(f"r{number + 1}", last)
    before = closure()
    top.parent = last
    with pytest.raises(IntegrityError) as refused:
        top.save()
    assert constraint(refused) == NO_CYCLE
    assert closure() == before


def test_circle_of_one_statement_is_refused_by_the_database() -> None:
    rows = [Region(pk=1, slug="a", name="a", parent_id=2), Region(pk=2, slug="b", name="b", parent_id=1)]
    with pytest.raises(IntegrityError) as refused:
        Region.objects.bulk_create(rows)
    assert constraint(refused) == NO_CYCLE
    assert not Region.objects.exists()


def test_services_name_the_regions_at_fault_and_write_the_others() -> None:
    region("old")
    outcomes = write_regions(
        [
            RegionTerms("a", "A", "b"),
            RegionTerms("b", "B", "a"),
            RegionTerms("c", "C", "a"),
            RegionTerms("d", "D", "nowhere"),
            RegionTerms("e", "E", "old"),
            RegionTerms("e", "E", None),
            RegionTerms("old", "Elder", None),
        ]
    )
    kinds = [type(outcome) for outcome in outcomes[:4]]
    assert kinds == [RegionCycle, RegionCycle, ParentNotFound, ParentNotFound]
    assert outcomes[4] == Written.CREATED
    assert isinstance(outcomes[5], ComesTwice)
    assert outcomes[6] == Written.CHANGED
    assert set(Region.objects.values_list("slug", flat=True)) == {"old", "e"}


def test_region_in_use_is_not_deleted_and_an_empty_one_leaves_the_closure() -> None:
    top = region("top")
    leaf = region("leaf", top)
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute("DELETE FROM rates_region WHERE id = %s", [top.pk])
    leaf.delete()
    assert closure() == {("top", "top", 0)}


# Ports and prices


def test_port_that_moves_takes_its_rollups_in_both_directions() -> None:
    here, there = region("here"), region("there")
    start, end = port("AAAAA", here), port("BBBBB", here)
    for lane in ((start, end), (end, start), (start, start)):
        add(*lane, 0, 1, 2)
    outcomes = write_ports([PortTerms("AAAAA", "A", "there"), PortTerms("BBBBB", "Bbbbb", "here")])
    assert outcomes == [Written.CHANGED, Written.PRESENT]
    assert prove_rollup().holds
    regions = Rollup.objects.filter(level=4).values_list("origin", "destination", "sum", "count")
    assert set(regions) == {
        (*lane, THREE, 2) for lane in ((there.pk, here.pk), (here.pk, there.pk), (there.pk, there.pk))
    }


def test_ports_that_change_places_in_one_statement_take_their_rollups() -> None:
    here, there = region("here"), region("there")
    start, end = port("AAAAA", here), port("BBBBB", there)
    add(start, start, 0, 1)
    add(end, end, 0, 5)
    add(start, end, 0, 7)
    write_ports([PortTerms("AAAAA", "A", "there"), PortTerms("BBBBB", "B", "here")])
    assert prove_rollup().holds


def test_port_with_prices_is_not_deleted() -> None:
    here = region("here")
    start, end, free = port("AAAAA", here), port("BBBBB", here), port("CCCCC", here)
    add(start, end, 0, 1)
    for used in (start, end):
        with pytest.raises(IntegrityError) as refused:
            Port.objects.filter(pk=used.pk).delete()
        assert constraint(refused) == PORT_HAS_PRICES
    Port.objects.filter(pk=free.pk).delete()


def test_price_of_no_port_is_refused_by_the_database() -> None:
    here = port("AAAAA", region("here"))
    with pytest.raises(IntegrityError):
        Price.objects.create(origin=here, destination_id=here.pk + 1, day=day(0), price_usd=1)
    outcomes = add_prices(
        [PriceRange(here.pk, here.pk + 1, day(0), day(0), ONE), PriceRange(here.pk, here.pk, day(0), day(1), ONE)]
    )
    assert [getattr(outcome, "observations", outcome.__class__.__name__) for outcome in outcomes] == ["PortNotFound", 2]
    assert Price.objects.count() == 2


@pytest.mark.parametrize("price", ["0", "-1", "10000000000", "NaN"])
def test_price_out_of_range_is_refused_by_the_database(price: str) -> None:
    here = port("AAAAA", region("here"))
    with pytest.raises(Exception, match=r"price_is_positive|overflow"), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rates_price (origin_id, destination_id, day, price_usd) VALUES (%s, %s, '2026-01-01', %s)",
            [here.pk, here.pk, price],
        )


def test_price_is_never_changed() -> None:
    here = port("AAAAA", region("here"))
    add(here, here, 0, 1)
    with pytest.raises(IntegrityError, match="never changed"):
        Price.objects.update(price_usd=2)


def test_deleted_prices_leave_no_rollup_behind() -> None:
    here = port("AAAAA", region("here"))
    add(here, here, 0, 1, 2)
    add(here, here, 1, 1)
    Price.objects.filter(day=day(0)).delete()
    assert set(Rollup.objects.values_list("day", "sum", "count")) == {(day(1), ONE, 1)}
    Price.objects.all().delete()
    assert not Rollup.objects.exists()


def test_emptied_prices_leave_no_rollup_behind_and_make_old_answers_old() -> None:
    here = port("AAAAA", region("here"))
    add(here, here, 0, 1, 2)
    before = DataVersion.objects.aggregate(sum=Sum("version"))["sum"]
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE rates_price")
    assert not Rollup.objects.exists()
    assert DataVersion.objects.aggregate(sum=Sum("version"))["sum"] > before


def test_rollups_written_by_hand_are_found_and_repaired() -> None:
    here = port("AAAAA", region("here"))
    add(here, here, 0, 1, 2)
    before = set(Rollup.objects.values_list())
    Rollup.objects.filter(level=Level.PORT_PORT).delete()
    Rollup.objects.filter(level=Level.PORT_REGION).update(count=7)
    Rollup.objects.create(level=Level.REGION_PORT, origin=-1, destination=-1, day=day(0), sum=1, count=1)
    assert prove_rollup().rollups == 3
    assert repair_rollup().rollups == 3
    assert prove_rollup().holds
    assert set(Rollup.objects.values_list()) == before


def test_price_batches_take_as_many_statements_for_one_as_for_a_thousand(
    django_assert_num_queries: pytest.FixtureRequest,
) -> None:
    here = port("AAAAA", region("here"))
    for ranges in (1, 1_000):
        with django_assert_num_queries(5):  # type: ignore[operator]
            add_prices([PriceRange(here.pk, here.pk, day(0), day(2), ONE)] * ranges)
    assert Price.objects.count() == 3_003
