"""Timestamps and questions as they come over the wire."""

from itertools import islice
from typing import Any, cast

from common.errors import FieldError, InvalidInput
from common.text.fields import Field, Shape, exact, kind, read_query
from common.text.jsonbody import load_json
from common.text.rfc3339 import EXAMPLE_INSTANT, NotAnInstant
from gateway.contract.refusals import refuse_body
from timestamps.errors import TooManyTimestamps
from timestamps.instants import canonical_instant
from timestamps.types import SUBMISSION_TIMESTAMPS

REPORTED_ERRORS = 100
MAX_WAIT_SECONDS = 10
_BODY_HELP = "Takes none: put the instant into the path, or send an array of them to /api/v1/timestamps."


def parse_instant(text: str, field: str) -> str:
    """The instant as the log keeps it. Raises InvalidInput, naming ``field``."""
    try:
        return canonical_instant(text)
    except NotAnInstant as error:
        raise InvalidInput(FieldError(field, str(error))) from error


def parse_instants(body: bytes) -> list[str]:
    """An array of instants.

    Raises: InvalidInput: names the index of each that is wrong, the first REPORTED_ERRORS of them; TooManyTimestamps.
    """
    items = load_json(body)
    if not isinstance(items, list) or not items:
        raise InvalidInput(FieldError("body", "Must be a JSON array with at least one timestamp."))
    if len(items) > SUBMISSION_TIMESTAMPS:
        raise TooManyTimestamps
    try:
        return list(map(_instant, items))
    except NotAnInstant:
        errors = (FieldError(f"[{index}]", fault) for index, item in enumerate(items) if (fault := _fault(item)))
        raise InvalidInput(*islice(errors, REPORTED_ERRORS)) from None


def refuse_instant(body: bytes) -> None:
    """A client that sends an instant in the body must not get another one stored. Raises InvalidInput."""
    refuse_body(body, _BODY_HELP)


def parse_wait(query_string: bytes) -> float:
    """Seconds of ``wait``; 0 without it. Raises InvalidInput."""
    return cast(float, read_query(query_string, _QUERY)["wait"]) if query_string else 0.0


@kind(type="number", minimum=0, maximum=MAX_WAIT_SECONDS)
def _seconds(value: Any) -> float:
    seconds = exact(value)
    if not 0 <= seconds <= MAX_WAIT_SECONDS:
        raise ValueError(f"Must be a number of seconds from 0 to {MAX_WAIT_SECONDS}.")
    return float(seconds)


_QUERY: Shape = {"wait": Field(_seconds, is_required=False, default=0.0)}


def _instant(item: Any) -> str:
    if type(item) is not str:
        raise NotAnInstant(f'Must be a text like "{EXAMPLE_INSTANT}".')
    return canonical_instant(item)


def _fault(item: Any) -> str | None:
    """What keeps ``item`` from being an instant."""
    try:
        _instant(item)
    except NotAnInstant as error:
        return str(error)
    return None
