"""What the fields of requests about vouchers and wallets may be, as strictly as the contract says."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from common.errors import FieldError, InvalidInput
from common.text.fields import Field, Kind, Shape, exact, instant, kind, read_fields, whole
from common.text.uuids import HYPHENATED_UUID
from vouchers.models import LIMIT_MAX

AMOUNT_MAX = Decimal("99999999999999.99")
_BELOW, _CENTS = 10**14, "At most 2 decimal places."  # the same, in the API's description
PAGE_DEFAULT, PAGE_MAX, OFFSET_MAX = 50, 1_000, 1_000_000
GENERATION_MAX = 1_000_000
INTEGER_MAX = 2**63 - 1
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,32}", re.ASCII)


@kind(type="string", pattern=f"^{_PHONE.pattern}$", description="E.164.")
def phone_number(value: Any) -> str:
    if not isinstance(value, str) or not _PHONE.fullmatch(value):
        raise ValueError("Must be a phone number after E.164, like +4915112345678.")
    return value


@kind(type="string", pattern=f"^{_CODE.pattern}$")
def voucher_code(value: Any) -> str:
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise ValueError("Must be 1 to 64 of A-Z, a-z, 0-9, dot, hyphen and underscore.")
    return value


@kind(type="string", pattern=f"^{_PREFIX.pattern}$")
def code_prefix(value: Any) -> str:
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise ValueError("Must be at most 32 of A-Z, a-z, 0-9, dot, hyphen and underscore.")
    return value


def money(lowest: Decimal) -> Kind[Decimal]:
    """Amounts from ``lowest`` on."""
    sentence = f"Must be a number from {lowest} to {AMOUNT_MAX} with at most 2 decimal places."

    @kind(type="number", format="double", minimum=float(lowest), exclusiveMaximum=_BELOW, description=_CENTS)
    def read(value: Any) -> Decimal:
        amount = exact(value)
        if not lowest <= amount <= AMOUNT_MAX or amount != round(amount, 2):
            raise ValueError(sentence)
        return round(amount, 2)

    return read


@kind(
    type="number",
    format="double",
    exclusiveMinimum=-_BELOW,
    exclusiveMaximum=_BELOW,
    description=f"Not zero; negative debits. {_CENTS}",
)
def signed_money(value: Any) -> Decimal:
    amount = money(-AMOUNT_MAX)(value)
    if not amount:
        raise ValueError("Must not be zero; negative debits.")
    return amount


@kind(type="string", format="uuid")
def uuid(value: Any) -> UUID:
    if not isinstance(value, str) or not HYPHENATED_UUID.fullmatch(value):
        raise ValueError("Must be a hyphenated UUID.")
    return UUID(value)


@kind(type="string")
def no_page(value: Any) -> None:
    raise ValueError("Is for pages of JSON; text/csv has all redemptions at once.")


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
    "limit": Field(whole(1, PAGE_MAX), is_required=False, default=PAGE_DEFAULT),
    "offset": Field(whole(0, OFFSET_MAX), is_required=False, says="Not with a cursor."),
    "cursor": Field(uuid, is_required=False, says="Of the page before."),
}
WHOLE_REPORT: Shape = {
    "code": Field(voucher_code),
    **dict.fromkeys(("limit", "offset", "cursor"), Field(no_page, is_required=False)),
}
STATEMENT: Shape = {
    "limit": Field(whole(1, PAGE_MAX), is_required=False, default=PAGE_DEFAULT),
    "cursor": Field(whole(1, INTEGER_MAX), is_required=False),
}
PROFILE: Shape = {
    "phone_number": Field(phone_number),
    "balance": Field(money(Decimal(0)), is_required=False, default=Decimal("0.00")),
}
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
