"""Regions and ports from CSV files: a header, then slug,name,parent_slug or code,name,parent_slug.

A newline always ends a row, so a stray quote costs its own row only. What is there already as the file says is no
reject, so a file may be imported again at any time.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from common.errors import FloodgateError, InvalidInput, in_words
from gateway.fields import Field, Shape, read_fields
from rates.parsing import place_name, port_code, region_slug
from rates.ports import write_ports
from rates.pricerows import RejectedRow, split_row
from rates.regions import Written, write_regions
from rates.types import PortTerms, RegionTerms

Terms = TypeVar("Terms")

REGION: Shape = {
    "slug": Field(region_slug),
    "name": Field(place_name),
    "parent_slug": Field(region_slug, is_required=False),
}
PORT: Shape = {"code": Field(port_code), "name": Field(place_name), "parent_slug": Field(region_slug)}


class PlacesReport(NamedTuple):
    """Attributes: counts: rows by what became of them; rejects: in the order of their lines."""

    counts: Counter[Written]
    rejects: list[RejectedRow]


def import_regions(path: Path) -> PlacesReport:
    """Write the regions of a file, parents in any order. Raises: OSError; DatabaseError: nothing was written."""
    return _import(path, REGION, lambda fields: RegionTerms(**fields), write_regions)


def import_ports(path: Path) -> PlacesReport:
    """Write the ports of a file. Raises: OSError; DatabaseError: nothing was written."""
    return _import(path, PORT, lambda fields: PortTerms(**fields), write_ports)


def _import(
    path: Path,
    shape: Shape,
    terms_of: Callable[[dict[str, Any]], Terms],
    write: Callable[[list[Terms]], list[Written | FloodgateError]],
) -> PlacesReport:
    wanted: list[tuple[int, Terms]] = []
    rejects: list[RejectedRow] = []
    for line, values in _rows(path, shape):
        try:
            wanted.append((line, terms_of(_fields(values, shape))))
        except ValueError as error:
            rejects.append(RejectedRow(line, str(error)))
    outcomes = write([terms for _, terms in wanted])
    for (line, _), outcome in zip(wanted, outcomes, strict=True):
        if isinstance(outcome, FloodgateError):
            rejects.append(RejectedRow(line, outcome.detail))
    return PlacesReport(Counter(each for each in outcomes if isinstance(each, Written)), sorted(rejects))


def _rows(path: Path, shape: Shape) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, without the header and blank ones."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        for number, line in enumerate(file, 1):
            text = line.rstrip("\r\n")
            if text and (number > 1 or text.replace(" ", "") != ",".join(shape)):
                yield number, text


def _fields(text: str, shape: Shape) -> dict[str, Any]:
    """Raises ValueError, naming the column."""
    values = split_row(text, shape)
    try:
        return read_fields({name: value or None for name, value in zip(shape, values, strict=True)}, shape)
    except InvalidInput as error:
        raise ValueError(in_words(error.errors)) from error
