"""The HTTP contract of rates: questions on both roads, and uploads."""

from collections.abc import Callable
from typing import Any

import pytest

from rates.models import Port, Region
from tests.rates import APPS, add, day, port, region
from tests.roads import Answer, django, hot_path

pytestmark = pytest.mark.django_db(transaction=True, available_apps=APPS)

Ask = Callable[..., Answer]


@pytest.fixture(params=[hot_path, django], ids=["hot path", "twin"])
def ask(request: pytest.FixtureRequest) -> Ask:
    road: Ask = request.param
    return road


@pytest.fixture
def ports() -> dict[str, Port]:
    """CNSGH in china_main in china; FRLEH and NLRTM in north_sea in europe."""
    china, europe = region("china"), region("europe")
    china_main, north_sea = region("china_main", china), region("north_sea", europe)
    return {
        code: port(code, where) for code, where in (("CNSGH", china_main), ("FRLEH", north_sea), ("NLRTM", north_sea))
    }


def where(origin: str = "CNSGH", destination: str = "north_sea", days: int = 1, **more: object) -> str:
    rest = "".join(f"&{name}={value}" for name, value in more.items())
    return f"?date_from={day(0)}&date_to={day(days - 1)}&origin={origin}&destination={destination}{rest}"


def test_average_of_a_port_and_a_region_per_day(ask: Ask, ports: dict[str, Port]) -> None:
    add(ports["CNSGH"], ports["FRLEH"], 0, 10, 11)
    add(ports["CNSGH"], ports["NLRTM"], 0, "10.50")
    add(ports["CNSGH"], ports["NLRTM"], 2, 10, 11)
    answer = ask("GET", "/rates" + where(days=3))
    assert answer.status == 200
    assert answer.json == [
        {"day": str(day(0)), "average_price": 11},  # of 10.50, half-up
        {"day": str(day(1)), "average_price": None},
        {"day": str(day(2)), "average_price": None},  # two are too few
    ]
