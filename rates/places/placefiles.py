"""Regions and ports from CSV files: slug, name, parent_slug or code, name, parent_slug.

What is there already as the file says is no reject, so a file may be imported again at any time.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from common.errors import FloodgateError, InvalidInput, in_words
from common.text.csvrows import RejectedRow, Table, open_rows, read_row
from common.text.fields import Field, Shape, read_fields
from common.text.textfiles import numbered_lines, open_text
from rates.parsing import place_name, port_code, region_slug
from rates.places.ports import write_ports
from rates.places.regions import Written, write_regions
from rates.types import PortTerms, RegionTerms

Terms = TypeVar("Terms")

REGION: Shape = {
    "slug": Field(region_slug),
    "name": Field(place_name),
    "parent_slug": Field(region_slug, is_required=False),
}
PORT: Shape = {"code": Field(port_code), "name": Field(place_name), "parent_slug": Field(region_slug)}


def _check_first(shape: Shape, values: Mapping[str, str]) -> None:
    """Raises ValueError: it is no good row, or has the name of a column: any text may be a name, also a header's."""
    try:
        read_fields(values, shape)
    except InvalidInput as error:
        raise ValueError(in_words(error.errors)) from error
    if named := shape.keys() & {value.lower() for value in values.values()}:
        raise ValueError(f"It has the name of a column, {min(named)}.")


# A column of parents is never taken as optional: a file without it would make roots of all its regions.
REGIONS = Table(tuple(REGION), partial(_check_first, REGION))
PORTS = Table(tuple(PORT), partial(_check_first, PORT))


class PlacesReport(NamedTuple):
    """Attributes: counts: rows by what became of them; rejects: in the order of their lines."""

    counts: Counter[Written]
    rejects: list[RejectedRow]


def import_regions(path: Path) -> PlacesReport:
    """Write the regions of a file, parents in any order. Raises: OSError, NoText, DatabaseError: nothing is done."""
    return _import(path, REGIONS, lambda fields: RegionTerms(**read_fields(fields, REGION)), write_regions)


def import_ports(path: Path) -> PlacesReport:
    """Write the ports of a file. Raises: OSError, NoText, DatabaseError: nothing is done."""
    return _import(path, PORTS, lambda fields: PortTerms(**read_fields(fields, PORT)), write_ports)


def _import(
    path: Path,
    table: Table,
    terms_of: Callable[[Mapping[str, str]], Terms],
    write: Callable[[list[Terms]], list[Written | FloodgateError]],
) -> PlacesReport:
    wanted, rejects = _read(path, table, terms_of)
    outcomes = write([terms for _, terms in wanted])
    for (line, _), outcome in zip(wanted, outcomes, strict=True):
        if isinstance(outcome, FloodgateError):
            rejects.append(RejectedRow(line, outcome.detail))
    return PlacesReport(Counter(each for each in outcomes if isinstance(each, Written)), sorted(rejects))


def _read(
    path: Path, table: Table, terms_of: Callable[[Mapping[str, str]], Terms]
) -> tuple[list[tuple[int, Terms]], list[RejectedRow]]:
    """Each with its line."""
    wanted: list[tuple[int, Terms]] = []
    rejects: list[RejectedRow] = []
    with open_text(path) as file:
        rows = open_rows(numbered_lines(file), table)
        for number, line in rows.lines:
            try:
                wanted.append((number, terms_of(read_row(line, rows.columns))))
            except ValueError as error:
                rejects.append(RejectedRow(number, str(error)))
            except InvalidInput as error:
                rejects.append(RejectedRow(number, in_words(error.errors)))
    return wanted, rejects
