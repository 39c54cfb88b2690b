"""Requests about vouchers and wallets, checked as strictly as the contract says.

JSON bodies and query strings name the same fields; in a query every value is text, of numbers too.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import parse_qsl
from uuid import UUID

from common.errors import FieldError, InvalidInput
from common.uuids import HYPHENATED_UUID
from gateway.jsonbody import load_json
from vouchers.models import LIMIT_MAX

AMOUNT_MAX = Decimal("99999999999999.99")
PAGE_DEFAULT, PAGE_MAX, OFFSET_MAX = 50, 1_000, 1_000_000
GENERATION_MAX = 1_000_000
INTEGER_MAX = 2**63 - 1
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,32}", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


class Field(NamedTuple):
    """Attributes: read: the value, or ValueError with the sentence that says what it must be; is_number: in a query."""

    read: Callable[[Any], Any]
    is_required: bool = True
    default: Any = None
    is_number: bool = False


Shape = Mapping[str, Field]


def read_body(body: bytes, shape: Shape) -> dict[str, Any]:
    """The fields of a JSON object. Raises InvalidInput, naming each field that is wrong."""
    return read_fields(load_json(body), shape)


def read_query(query: bytes, shape: Shape) -> dict[str, Any]:
    """The fields of a query string. Raises InvalidInput."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError as exc:
        raise InvalidInput(FieldError("query", "Must be names and values in percent-encoded UTF-8.")) from exc
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidInput(FieldError(twice[:100], "Comes twice."))
    return read_fields({name: _from_text(shape.get(name), text) for name, text in pairs}, shape)


def _from_text(field: Field | None, text: str) -> Any:
    return int(text) if field and field.is_number and _WHOLE.fullmatch(text) else text


def read_fields(given: Any, shape: Shape) -> dict[str, Any]:
    """The values of all fields of ``shape``. Raises InvalidInput, naming each that is wrong, missing or not in it."""
    if not isinstance(given, Mapping):
        raise InvalidInput(FieldError("body", f"Must be an object with {', '.join(shape)}."))
    errors = [FieldError(name[:100], "Is no field here.") for name in given if name not in shape]
    found: dict[str, Any] = {}
    for name, field in shape.items():
        value = given.get(name)
        if value is None:
            found[name] = field.default
            if field.is_required:
                errors.append(FieldError(name, "Is required."))
            continue
        try:
            found[name] = field.read(value)
        except ValueError as error:
            errors.append(FieldError(name, str(error)))
    if errors:
        raise InvalidInput(*errors)
    return found


def phone_number(value: Any) -> str:
    if not isinstance(value, str) or not _PHONE.fullmatch(value):
        raise ValueError("Must be a phone number after E.164, like +4915112345678.")
    return value


def voucher_code(value: Any) -> str:
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise ValueError("Must be 1 to 64 letters, digits, dots, hyphens or underscores.")
    return value


def code_prefix(value: Any) -> str:
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise ValueError("Must be at most 32 letters, digits, dots, hyphens or underscores.")
    return value


def money(lowest: Decimal) -> Callable[[Any], Decimal]:
    """Reads an amount from ``lowest`` on."""
    sentence = f"Must be a number from {lowest} to {AMOUNT_MAX} with at most 2 decimal places."

    def read(value: Any) -> Decimal:
        if type(value) not in (int, Decimal):
            raise ValueError(sentence)
        amount = Decimal(value)
        if not lowest <= amount <= AMOUNT_MAX or amount != round(amount, 2):
            raise ValueError(sentence)
        return round(amount, 2)

    return read


def signed_money(value: Any) -> Decimal:
    amount = money(-AMOUNT_MAX)(value)
    if not amount:
        raise ValueError("Must not be zero; negative debits.")
    return amount


def whole(lowest: int, highest: int) -> Callable[[Any], int]:
    """Reads a whole number."""
    sentence = f"Must be a whole number from {lowest} to {highest}."

    def read(value: Any) -> int:
        if type(value) is not int or not lowest <= value <= highest:
            raise ValueError(sentence)
        return value

    return read


def instant(value: Any) -> datetime:
    """In UTC."""
    sentence = "Must be an instant after RFC 3339 with an offset, like 2026-11-21T08:00:00Z."
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise ValueError(sentence)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise ValueError(sentence) from exc


def uuid(value: Any) -> UUID:
    if not isinstance(value, str) or not HYPHENATED_UUID.fullmatch(value):
        raise ValueError("Must be a hyphenated UUID.")
    return UUID(value)


CENT = Decimal("0.01")
_TERMS: dict[str, Field] = {
    "amount": Field(money(CENT)),
    "limit": Field(whole(1, LIMIT_MAX)),
    "starts_at": Field(instant, is_required=False),
    "expires_at": Field(instant, is_required=False),
}
REDEEM: Shape = {"phone_number": Field(phone_number), "code": Field(voucher_code)}
BY_CODE: Shape = {"code": Field(voucher_code)}
VOUCHER: Shape = {"code": Field(voucher_code), **_TERMS}
GENERATION: Shape = {
    "count": Field(whole(1, GENERATION_MAX)),
    "prefix": Field(code_prefix, is_required=False, default=""),
    **_TERMS,
}
REPORT: Shape = {
    "code": Field(voucher_code),
    "limit": Field(whole(1, PAGE_MAX), is_required=False, default=PAGE_DEFAULT, is_number=True),
    "offset": Field(whole(0, OFFSET_MAX), is_required=False, is_number=True),
    "cursor": Field(uuid, is_required=False),
}
STATEMENT: Shape = {
    "limit": Field(whole(1, PAGE_MAX), is_required=False, default=PAGE_DEFAULT, is_number=True),
    "cursor": Field(whole(1, INTEGER_MAX), is_required=False, is_number=True),
}
PROFILE: Shape = {"phone_number": Field(phone_number), "balance": Field(money(Decimal(0)))}
MOVEMENT: Shape = {"phone_number": Field(phone_number), "amount": Field(signed_money)}


def check_window(starts_at: datetime | None, expires_at: datetime | None) -> None:
    """Raises InvalidInput."""
    if starts_at and expires_at and expires_at <= starts_at:
        raise InvalidInput(FieldError("expires_at", "Must be after starts_at."))


def check_place(offset: int | None, cursor: UUID | None) -> None:
    """Raises InvalidInput: a page begins at one place."""
    if offset is not None and cursor is not None:
        raise InvalidInput(FieldError("offset", "Must not come with a cursor."))


def refuse_fields(given: Any) -> None:
    """Of a body that may be empty or {}. Raises InvalidInput."""
    if not isinstance(given, dict):
        raise InvalidInput(FieldError("body", "Must be empty or {}."))
    read_fields(given, {})


def read_redemption_id(text: str) -> UUID:
    """From an address. Raises InvalidInput."""
    found: UUID = read_fields({"id": text}, {"id": Field(uuid)})["id"]
    return found


def read_phone_number(text: str) -> str:
    """From an address. Raises InvalidInput."""
    found: str = read_fields({"phone_number": text}, {"phone_number": Field(phone_number)})["phone_number"]
    return found
