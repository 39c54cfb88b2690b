"""Increments as they come over the wire, checked as strictly as the contract says."""

from codecs import BOM_UTF8
from itertools import islice
from typing import Any

from common.errors import FieldError, InvalidInput
from common.text.jsonbody import load_json
from common.text.uuids import EXAMPLE_UUID, HYPHENATED_UUID
from counters.errors import TooManyIncrements
from counters.types import MAX_VALUE, SUBMISSION_INCREMENTS, Increment

REPORTED_ERRORS = 100
_FIELDS = ("key", "value")
_NIL = "00000000-0000-0000-0000-000000000000"
_KEY_HELP = f"Must be a hyphenated UUID like {EXAMPLE_UUID}, and not the nil UUID."
_VALUE_HELP = f"Must be a whole number from 1 to {MAX_VALUE}, without quotes, point or exponent."


def parse_increment(body: bytes) -> Increment:
    """One increment. Raises InvalidInput, naming each field that is wrong."""
    item = load_json(body)
    increment = _as_increment(item)
    if increment is None:
        raise InvalidInput(*_errors(item, ""))
    return increment


def parse_increments(body: bytes) -> list[Increment]:
    """An array of increments.

    Raises: InvalidInput: names index and field of what is wrong, the first REPORTED_ERRORS of it;
        TooManyIncrements: more than SUBMISSION_INCREMENTS.
    """
    # Before parsing them all.
    if body.removeprefix(BOM_UTF8).lstrip().startswith(b"[") and body.count(b"{") > SUBMISSION_INCREMENTS:
        raise TooManyIncrements
    items = load_json(body)
    if not isinstance(items, list) or not items:
        raise InvalidInput(FieldError("body", "Must be a JSON array with at least one increment."))
    if len(items) > SUBMISSION_INCREMENTS:
        raise TooManyIncrements
    increments = _as_increments(items)
    if increments is None:
        errors = (error for index, item in enumerate(items) for error in _errors(item, f"[{index}]."))
        raise InvalidInput(*islice(errors, REPORTED_ERRORS))
    return increments


def _as_increment(item: Any) -> Increment | None:
    """None when anything is wrong: ``_errors`` knows what."""
    if type(item) is not dict or len(item) != 2:
        return None
    key, value = item.get("key"), item.get("value")
    if type(key) is not str or type(value) is not int:  # a bool is no int here, nor is 1.0
        return None
    if not HYPHENATED_UUID.fullmatch(key) or key == _NIL or not 1 <= value <= MAX_VALUE:
        return None
    return bytes.fromhex(key.replace("-", "")), value


def _as_increments(items: list[Any]) -> list[Increment] | None:
    """The same of many, None when anything is wrong. By columns, as that takes half the time of item by item."""
    if set(map(type, items)) != {dict} or set(map(len, items)) != {2}:
        return None
    keys, values = [item.get("key") for item in items], [item.get("value") for item in items]
    if set(map(type, keys)) != {str} or set(map(type, values)) != {int}:
        return None
    if not all(map(HYPHENATED_UUID.fullmatch, keys)) or _NIL in keys or min(values) < 1 or max(values) > MAX_VALUE:
        return None
    digits = bytes.fromhex("".join(keys).replace("-", ""))
    return list(zip([digits[at : at + 16] for at in range(0, len(digits), 16)], values, strict=True))


def _errors(item: Any, where: str) -> list[FieldError]:
    """What keeps ``item`` from being an increment."""
    if type(item) is not dict:
        return [FieldError(where.rstrip(".") or "body", 'Must be an object like {"key": "<uuid>", "value": 1}.')]
    errors = [FieldError(where + name[:100], "Is no field of an increment.") for name in item if name not in _FIELDS]
    errors += [FieldError(where + name, "Is missing.") for name in _FIELDS if name not in item]
    if "key" in item and not _as_increment({"key": item["key"], "value": 1}):
        errors.append(FieldError(f"{where}key", _KEY_HELP))
    if "value" in item and not _as_increment({"key": EXAMPLE_UUID, "value": item["value"]}):
        errors.append(FieldError(f"{where}value", _VALUE_HELP))
    return errors
