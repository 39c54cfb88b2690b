"""What a question costs: rows and pages that its statements touch, at two sizes of the same data."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rates.models import Price, Region
from rates.questions.averages import read_rates
from rates.types import RatesQuery
from tests.rates import day, port, region

pytestmark = pytest.mark.django_db(transaction=True)


def fill(prices_per_cell: int) -> None:
    """The same prices again and again, on each of 60 days between each two of 16 ports."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rates_price (origin_id, destination_id, day, price_usd) "
            "SELECT a.id, b.id, date '2026-01-01' + d, 5 FROM rates_port a, rates_port b, generate_series(0, 59) d, "
            "generate_series(1, %s)",
            [prices_per_cell],
        )
        cursor.execute("VACUUM ANALYZE rates_rollup, rates_port, rates_region, rates_regionclosure")


def test_question_costs_the_same_with_ten_times_the_prices() -> None:
    make_places()
    fill(1)
    few = {name: cost(query) for name, query in QUESTIONS.items()}
    fill(9)
    assert Price.objects.count() == 16 * 16 * 60 * 10
    for name, query in QUESTIONS.items():
        many = cost(query)
        assert many["rows"] == few[name]["rows"], name
        assert many["pages"] <= 1.5 * few[name]["pages"] + 20, name
        assert "Seq Scan" not in many["scans"]


QUESTIONS = {
    f"{origin} to {destination}": RatesQuery(day(0), day(59), origin, destination)
    for origin in ("P0000", "r1", "r0")
    for destination in ("P0001", "r2", "r0")
}


def make_places() -> None:
    """r0 over r1, r2 and r3, with four ports each."""
    top = region("r0")
    for number in range(16):
        slug = f"r{number % 4}"
        where = Region.objects.filter(slug=slug).first() or region(slug, top)
        port(f"P{number:04}", where)


def cost(query: RatesQuery) -> dict[str, Any]:
    """Of the statement that reads rollups."""
    with CaptureQueriesContext(connection) as captured:
        read_rates([query])
    (statement,) = (each["sql"] for each in captured if "rates_rollup" in each["sql"])
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement)
        ((plan,),) = cursor.fetchall()[0]
        cursor.execute("RESET enable_seqscan; RESET enable_hashjoin; RESET enable_mergejoin")
    nodes = list(under(plan["Plan"]))
    rollups = [node for node in nodes if node.get("Relation Name") == "rates_rollup"]
    return {
        "rows": sum(node["Actual Rows"] * node["Actual Loops"] for node in rollups),
        "pages": plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"],
        "scans": {node["Node Type"] for node in nodes if "Relation Name" in node},
    }


def under(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", []):
        yield from under(inner)
