"""Increments as they come over the wire, checked as strictly as the contract says."""

from itertools import islice
from typing import Any

from common.errors import FieldError, InvalidInput
from common.uuids import HYPHENATED_UUID
from counters.errors import TooManyIncrements
from counters.types import MAX_VALUE, SUBMISSION_INCREMENTS, Increment
from gateway.jsonbody import load_json

REPORTED_ERRORS = 100
_FIELDS = ("key", "value")
_NIL = "00000000-0000-0000-0000-000000000000"
_KEY_HELP = "Must be a hyphenated UUID like d018ef0b-dbd9-48f1-ac1a-eb4d90e57118, and not the nil UUID."
_VALUE_HELP = f"Must be a whole number from 1 to {MAX_VALUE}, without quotes, point or exponent."


def parse_increment(body: bytes) -> Increment:
    """One increment. Raises InvalidInput, naming each field that is wrong."""
    item = load_json(body)
    if not _is_increment(item):
        raise InvalidInput(*_errors(item, ""))
    return Increment(bytes.fromhex(item["key"].replace("-", "")), item["value"])


def parse_increments(body: bytes) -> list[Increment]:
    """An array of increments.

    Raises: InvalidInput: names index and field of what is wrong, the first REPORTED_ERRORS of it;
        TooManyIncrements: more than SUBMISSION_INCREMENTS.
    """
    if body.lstrip().startswith(b"[") and body.count(b"{") > SUBMISSION_INCREMENTS:  # before parsing them all
        raise TooManyIncrements(body.count(b"{"))
    items = load_json(body)
    if not isinstance(items, list) or not items:
        raise InvalidInput(FieldError("body", "Must be a JSON array with at least one increment."))
    if len(items) > SUBMISSION_INCREMENTS:
        raise TooManyIncrements(len(items))
    if not all(map(_is_increment, items)):
        errors = (error for index, item in enumerate(items) for error in _errors(item, f"[{index}]."))
        raise InvalidInput(*islice(errors, REPORTED_ERRORS))
    return _as_increments(items)


def _as_increments(items: list[dict[str, Any]]) -> list[Increment]:
    """All keys in one conversion: half the time of one each."""
    keys = bytes.fromhex("".join([item["key"] for item in items]).replace("-", ""))
    values = [item["value"] for item in items]
    return list(map(Increment, (keys[at : at + 16] for at in range(0, len(keys), 16)), values))


def _is_increment(item: Any) -> bool:
    return type(item) is dict and len(item) == 2 and _is_key(item.get("key")) and _is_value(item.get("value"))


def _is_key(key: Any) -> bool:
    return type(key) is str and HYPHENATED_UUID.fullmatch(key) is not None and key != _NIL


def _is_value(value: Any) -> bool:
    """A bool is no int here, nor is 1.0."""
    return type(value) is int and 1 <= value <= MAX_VALUE


def _errors(item: Any, where: str) -> list[FieldError]:
    """What keeps ``item`` from being an increment."""
    if type(item) is not dict:
        return [FieldError(where.rstrip(".") or "body", 'Must be an object like {"key": "<uuid>", "value": 1}.')]
    errors = [FieldError(where + name[:100], "Is no field of an increment.") for name in item if name not in _FIELDS]
    if not _is_key(item.get("key")):
        errors.append(FieldError(f"{where}key", _KEY_HELP))
    if not _is_value(item.get("value")):
        errors.append(FieldError(f"{where}value", _VALUE_HELP))
    return errors
