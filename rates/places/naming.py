"""What the names in requests are, and what is above them in the tree."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from django.db import connection

from common.errors import FieldError
from common.stores.sqlfiles import load_sql
from rates.errors import PlaceNotFound
from rates.types import Place

_SQL = load_sql(Path(__file__).parents[1] / "sql" / "rates.sql")


class Places(NamedTuple):
    """Attributes: by_name: a port before a region of the same name; version: of the data."""

    by_name: dict[str, Place]
    version: int


def find_places(names: Collection[str]) -> Places:
    """Those of ``names`` that exist."""
    found: dict[str, dict[str, Place]] = {"port": {}, "region": {}}
    version = 0
    with connection.cursor() as cursor:
        cursor.execute(_SQL["places"], {"names": sorted(set(names))})
        for kind, name, number, region_id, regions in cursor.fetchall():
            if kind == "version":
                version = int(regions)
            else:
                found[kind][name] = Place(name, kind == "port", number, region_id, int(regions))
    return Places(found["region"] | found["port"], version)


def missing_places(asked: dict[str, str], there: Collection[str]) -> PlaceNotFound | None:
    """What to answer where a place of ``asked``, names by field, is not ``there``."""
    errors = [
        FieldError(field, f"There is no port or region {name}.") for field, name in asked.items() if name not in there
    ]
    return PlaceNotFound(*errors) if errors else None


def chains_of(places: Iterable[Place]) -> dict[Place, list[Place]]:
    """Each place, and the regions that it is in, the nearest first."""
    wanted = set(places)
    above: dict[int, list[Place]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SQL["ancestors"], {"ids": sorted({place.region_id for place in wanted})})
        for below, slug, number, regions in cursor.fetchall():
            above.setdefault(below, []).append(Place(slug, False, number, number, regions))
    return {place: [place, *above[place.region_id]] if place.is_port else above[place.region_id] for place in wanted}
