"""Ports and the regions that they belong to. A port that moves takes its rollups with it, by a trigger."""

from pathlib import Path

from django.db import connection, transaction

from common.errors import FloodgateError
from common.stores.sqlfiles import load_sql
from rates.errors import ComesTwice, ParentNotFound
from rates.locks import lock_tree
from rates.models import Port, Region
from rates.places.regions import Written, written
from rates.types import PortTerms

_SQL = load_sql(Path(__file__).parents[1] / "sql" / "places.sql")


def write_ports(wanted: list[PortTerms]) -> list[Written | FloodgateError]:
    """Create ports, or give those that are there these names and regions.

    Args:    wanted: N, any order.
    Returns: N outcomes in the order of ``wanted``; an error: that port stays as it was. ComesTwice: the first counts.
    Raises:  DatabaseError: nothing was written.
    """
    with transaction.atomic():
        lock_tree()
        regions = set(Region.objects.values_list("slug", flat=True))
        there = {row[0]: PortTerms(*row) for row in Port.objects.values_list("code", "name", "region__slug")}
        outcomes: list[Written | FloodgateError] = []
        writing: dict[str, PortTerms] = {}
        seen: set[str] = set()
        for terms in wanted:
            outcomes.append(_outcome(terms, there.get(terms.code), regions, seen))
            seen.add(terms.code)
            if outcomes[-1] in (Written.CREATED, Written.CHANGED):
                writing[terms.code] = terms
        if writing:
            _write(list(writing.values()))
    return outcomes


def _outcome(terms: PortTerms, before: PortTerms | None, regions: set[str], seen: set[str]) -> Written | FloodgateError:
    if terms.code in seen:
        return ComesTwice("code", terms.code)
    if terms.parent_slug not in regions:
        return ParentNotFound(terms.parent_slug)
    return written(terms, before)


def _write(ports: list[PortTerms]) -> None:
    codes, names, slugs = (list(column) for column in zip(*ports, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_SQL["write_ports"], {"codes": codes, "names": names, "slugs": slugs})
