"""Cuts a batch into chunks, before it is accepted: how many prices it will become is known from its dates.

What is read here is a glance, about 3 us a row: a row that turns out to be bad counts as one price.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from common.errors import FieldError, InvalidInput
from rates.batches.bodies import Body, BodyFormat, open_body
from rates.batches.errors import BatchTooLarge
from rates.parsing import RANGE_MAX_DAYS

CHUNK_ROWS = 2_500
CHUNK_PRICES = 10_000


class PlannedChunk(NamedTuple):
    """Whole rows of a batch.

    Attributes:
        first_line: number of its first line; see ``Body``.
        row_count: lines that are not blank.
        price_count: daily prices that its rows become when all are good.
        text: its lines, blank ones too.
    """

    number: int
    first_line: int
    row_count: int
    price_count: int
    text: bytes


class Plan(NamedTuple):
    columns: list[str]
    chunks: list[PlannedChunk]

    @property
    def row_count(self) -> int:
        return sum(chunk.row_count for chunk in self.chunks)

    @property
    def price_count(self) -> int:
        return sum(chunk.price_count for chunk in self.chunks)


def plan_batch(body: bytes, form: BodyFormat, *, max_rows: int, max_prices: int) -> Plan:
    """Cut a body into chunks of about CHUNK_ROWS rows or CHUNK_PRICES prices.

    Raises: InvalidInput: it is not of this format, or without a row; BatchTooLarge.
    """
    opened = open_body(body, form, max_rows)
    plan = Plan(opened.columns, list(_chunks(opened)))
    if not plan.row_count:
        raise InvalidInput(FieldError("body", "Has no rows."))
    if plan.price_count > max_prices:
        raise BatchTooLarge(
            f"Its date ranges are {plan.price_count:,} daily prices, and a batch has at most {max_prices:,}"
            " (BATCH_MAX_PRICES). Nothing was kept; send it in parts."
        )
    return plan


def _chunks(body: Body) -> Iterator[PlannedChunk]:
    number, first_line, rows, prices = 0, body.first_line, 0, 0
    lines: list[bytes] = []
    for line, fields in body.lines:
        if rows == CHUNK_ROWS or prices >= CHUNK_PRICES:
            yield PlannedChunk(number, first_line, rows, prices, b"\n".join(lines))
            number, first_line, rows, prices, lines = number + 1, first_line + len(lines), 0, 0, []
        lines.append(line)
        if line:
            rows, prices = rows + 1, prices + day_count(fields)
    if rows:
        yield PlannedChunk(number, first_line, rows, prices, b"\n".join(lines))


def day_count(fields: Any) -> int:
    """Days from date_from to date_to; 1 where no such range can be good."""
    if not isinstance(fields, Mapping):
        return 1
    try:
        first, last = (date.fromisoformat(fields[name].strip()) for name in ("date_from", "date_to"))
    except (ValueError, KeyError, AttributeError):
        return 1
    days = (last - first).days + 1
    return days if 1 <= days <= RANGE_MAX_DAYS else 1
