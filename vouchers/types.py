"""What crosses the edge of this app. Money is ``Decimal`` with 2 places, instants are in UTC."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from common.idempotency import IdempotencyRecord


class Redeem(NamedTuple):
    """Attributes: code: of the voucher; phone_number: the redeemer's, E.164; address: where the request came from.

    ``account`` is that of the API key, empty without one; with one ``address`` is: a key speaks for many users.
    """

    code: str
    phone_number: str
    idempotency: IdempotencyRecord | None = None
    address: str = ""
    account: str = ""


class Lookup(NamedTuple):
    """A read that tells whether there is a voucher. Attributes: account: of the API key, empty without one; address."""

    code: str
    account: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A redemption as its redeemer gets it. ``state``: whether the wallet has the amount: credited or pending."""

    id: UUID
    voucher_code: str
    redeemer: str
    amount: Decimal
    state: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ReversedRedemption:
    """A redemption that was taken back; ``reversed_at`` is None until another deployment's wallet has agreed."""

    id: UUID
    voucher_code: str
    redeemer: str
    amount: Decimal
    created_at: datetime
    reversed_at: datetime | None


@dataclass(frozen=True, slots=True)
class VoucherTerms:
    """What a voucher is to be. ``limit``: users who may redeem it; ``amount``: what each of them gets."""

    code: str
    amount: Decimal
    limit: int
    starts_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class VoucherState:
    """A voucher as of now. ``remaining``: places that are free."""

    id: int
    code: str
    amount: Decimal
    limit: int
    remaining: int
    starts_at: datetime | None
    expires_at: datetime | None
    created_at: datetime


class LimitChange(NamedTuple):
    """Attributes: changed_by: whoever wants it, as the audit names them."""

    code: str
    limit: int
    changed_by: str


@dataclass(frozen=True, slots=True)
class Wallet:
    """A user's profile with what they have."""

    id: int
    phone_number: str
    balance: Decimal


class Movement(NamedTuple):
    """Money in (positive) or out (negative)."""

    phone_number: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Moved:
    """A transaction that was carried out, and the balance after it."""

    id: int
    phone_number: str
    amount: Decimal
    balance: Decimal
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One transfer as its user sees it: ``amount`` is negative for what left the wallet."""

    id: int
    kind: str
    amount: Decimal
    redemption_id: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Statement:
    """A page of a statement. ``cursor``: where the next one starts; None on the last."""

    transactions: list[StatementLine]
    cursor: int | None


@dataclass(frozen=True, slots=True)
class ReportedRedemption:
    """A live redemption in a report."""

    id: UUID
    voucher_code: str
    redeemer: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RedemptionPage:
    """A page of a report. ``cursor``: where the next one starts; None on the last."""

    redemptions: list[ReportedRedemption]
    cursor: UUID | None


@dataclass(frozen=True, slots=True)
class GenerationState:
    """Where a generation stands. ``status``: running, done, failed or cancelled; ``made``: vouchers that exist."""

    id: int
    status: str
    count: int
    made: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None


class Order(NamedTuple):
    """An outbox message: a transfer that another deployment's wallet is to make.

    Attributes: id: same in each attempt; kind: redemption or reversal. ``phone_number`` and ``amount`` are None where
    they are not what a wallet can take.
    """

    id: UUID
    kind: str
    redemption_id: UUID
    phone_number: str | None
    amount: Decimal | None


class OrderOutcome(StrEnum):
    """APPLIED and REFUSED are final. CONFLICT: the wallet knows something else of this redemption; nothing was done."""

    APPLIED = "applied"
    REFUSED = "refused"
    CONFLICT = "conflict"


class OrderReply(NamedTuple):
    """The wallet's reply to a message. Attributes: id: of the order; code: why it was not applied."""

    id: UUID
    outcome: OrderOutcome
    code: str = ""


class OrderedTransfer(NamedTuple):
    """A transfer of a redemption, as both deployments know it. Attributes: kind: redemption or reversal."""

    redemption_id: UUID
    kind: str
    phone_number: str
    amount: Decimal
