"""The tree of regions: written as wanted, refused where it would be no tree.

A trigger keeps the closure and refuses cycles for every door (migrations/0001_tree.sql). Here the regions at fault are
told from the others, under the lock that the trigger takes too.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path

from django.db import connection, transaction

from common.errors import FloodgateError
from common.stores.sqlfiles import load_sql
from rates.errors import ComesTwice, ParentNotFound, RegionCycle
from rates.locks import lock_tree
from rates.models import Region
from rates.types import PortTerms, RegionTerms

_SQL = load_sql(Path(__file__).parents[1] / "sql" / "places.sql")


class Written(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    PRESENT = "present"  # as it was wanted, already


def write_regions(wanted: list[RegionTerms]) -> list[Written | FloodgateError]:
    """Create regions, or give those that are there these names and parents, with all that is under them.

    Args:    wanted: N, parents in any order.
    Returns: N outcomes in the order of ``wanted``; an error: that region stays as it was. ComesTwice: the first counts.
    Raises:  DatabaseError: nothing was written.
    """
    with transaction.atomic():
        lock_tree()
        there = {row[0]: RegionTerms(*row) for row in Region.objects.values_list("slug", "name", "parent__slug")}
        refused = _refused(wanted, {slug: terms.parent_slug for slug, terms in there.items()})
        outcomes = [refused.get(place) or written(terms, there.get(terms.slug)) for place, terms in enumerate(wanted)]
        writing = [
            terms
            for terms, outcome in zip(wanted, outcomes, strict=True)
            if outcome in (Written.CREATED, Written.CHANGED)
        ]
        if writing:
            _write(writing)
    return outcomes


def written(terms: RegionTerms | PortTerms, before: RegionTerms | PortTerms | None) -> Written:
    """What becomes of a place that is to be ``terms`` and was ``before``, None for one that was not there."""
    if before is None:
        return Written.CREATED
    return Written.PRESENT if before == terms else Written.CHANGED


def _refused(wanted: list[RegionTerms], parents: Mapping[str, str | None]) -> dict[int, FloodgateError]:
    """Errors by place. A region that is refused may be the parent of another, so this goes on until all is well."""
    refused: dict[int, FloodgateError] = {}
    accepted: dict[str, int] = {}
    for place, terms in enumerate(wanted):
        if accepted.setdefault(terms.slug, place) != place:
            refused[place] = ComesTwice("slug", terms.slug)
    while at_fault := _at_fault({slug: wanted[place].parent_slug for slug, place in accepted.items()}, parents):
        for slug, error in at_fault.items():
            refused[accepted.pop(slug)] = error
    return refused


def _at_fault(wanted: Mapping[str, str | None], before: Mapping[str, str | None]) -> dict[str, FloodgateError]:
    """Those of ``wanted`` whose parent does not exist, or that would be under themselves."""
    parents = {**before, **wanted}
    found: dict[str, FloodgateError] = {
        slug: ParentNotFound(parent) for slug, parent in wanted.items() if parent is not None and parent not in parents
    }
    circles = {slug: RegionCycle() for slug in _in_circles(parents) if slug in wanted}
    return found | circles


def _in_circles(parents: Mapping[str, str | None]) -> Iterable[str]:
    """Each on a circle; those that only lead to one are not."""
    walks: dict[str, str] = {}  # node: where the walk that passed it began
    for start in parents:
        node: str | None = start
        while node is not None and node not in walks:
            walks[node] = start
            node = parents.get(node)
        if node is not None and walks[node] == start:
            yield from _circle(node, parents)


def _circle(start: str, parents: Mapping[str, str | None]) -> Iterable[str]:
    node = start
    while True:
        yield node
        following = parents[node]
        if following is None or following == start:
            return
        node = following


def _write(regions: list[RegionTerms]) -> None:
    """Rows first, then parents, all at once, so their order does not matter."""
    slugs, names, parents = (list(column) for column in zip(*regions, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_SQL["write_regions"], {"slugs": slugs, "names": names})
        cursor.execute(_SQL["move_regions"], {"slugs": slugs, "parents": parents})
