"""DRF's door for other deployments, whose wallets are here."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import FieldError, InvalidInput
from common.text.fields import Field, Kind, Shape, kind, read_fields
from gateway.endpoints.shapes import described
from gateway.keys.scopes import KeyScope
from gateway.views.exactview import ExactView
from gateway.views.idempotent import idempotent
from vouchers.api import StatementView
from vouchers.models import TransferKind
from vouchers.parsing import CENT, money, phone_number, read_redemption_id, uuid
from vouchers.remote.orders import ORDERS_MAX, apply_orders, transfers_of
from vouchers.serializers import (
    OrderedTransferSerializer,
    ProfileSerializer,
    StatementQuerySerializer,
    StatementSerializer,
    WalletOrderAnswerSerializer,
)
from vouchers.types import Order, Wallet
from vouchers.wallet.choice import wallets
from vouchers.wallet.local import read_wallets


@kind(type="string", enum=[TransferKind.REDEMPTION.value, TransferKind.REVERSAL.value])
def order_kind(value: Any) -> str:
    if value not in (TransferKind.REDEMPTION, TransferKind.REVERSAL):
        raise ValueError("Must be redemption or reversal.")
    return str(value)


def or_none(wanted: Kind[Any]) -> Kind[Any]:
    """None for what cannot be read: an answer of its own to that order, so that its neighbours pass."""

    def reading(value: Any) -> Any:
        try:
            return wanted.read(value)
        except ValueError:
            return None

    return Kind(reading, wanted.schema)


ORDER: Shape = {
    "id": Field(uuid, says="The same in each attempt."),
    "kind": Field(order_kind),
    "redemption_id": Field(uuid),
    "phone_number": Field(or_none(phone_number)),
    "amount": Field(or_none(money(CENT))),
}
WalletOrderSerializer = described("WalletOrder", ORDER)


class WalletView(ExactView):
    scopes = dict.fromkeys(["get", "post"], KeyScope.WALLET_ADMIN)


class WalletOrdersView(WalletView):
    """Carry out transfers for redemptions of another deployment, each once for ever; answers come in order."""

    @extend_schema(
        operation_id="apply_wallet_orders",
        request=WalletOrderSerializer(many=True),
        responses=WalletOrderAnswerSerializer(many=True),
    )
    @idempotent
    def post(self, request: Request) -> Response:
        orders = _each(request.data, "orders", lambda given: Order(**read_fields(given, ORDER)))
        return Response([answer._asdict() for answer in apply_orders(orders)])


class WalletTransfersView(WalletView):
    """What this ledger has of redemptions, so that their deployment can compare."""

    is_audited = False

    @extend_schema(
        operation_id="read_wallet_transfers",
        request={"application/json": {"type": "array", "items": {"type": "string", "format": "uuid"}}},
        responses=OrderedTransferSerializer(many=True),
    )
    @idempotent
    def post(self, request: Request) -> Response:
        found = transfers_of(_each(request.data, "redemption ids", read_redemption_id))
        return Response([transfer._asdict() for transfer in found])


class WalletProfilesView(WalletView):
    """Profiles of phone numbers, in order; null where there is none."""

    is_audited = False

    @extend_schema(
        operation_id="read_wallet_profiles",
        request={"application/json": {"type": "array", "items": {"type": "string"}}},
        responses=ProfileSerializer(many=True),
    )
    @idempotent
    def post(self, request: Request) -> Response:
        numbers = _each(request.data, "phone numbers", _phone_number)
        return Response([asdict(found) if isinstance(found, Wallet) else None for found in read_wallets(numbers)])


class WalletStatementView(WalletView, StatementView):
    """A user's transfers, as another deployment asks for them."""

    @extend_schema(
        operation_id="read_wallet_statement", parameters=[StatementQuerySerializer], responses=StatementSerializer
    )
    def get(self, request: Request, phone_number: str) -> Response:
        wallets().refuse_elsewhere()
        return super().get(request, phone_number)


def _phone_number(given: Any) -> str:
    found: str = read_fields({"phone_number": given}, {"phone_number": Field(phone_number)})["phone_number"]
    return found


def _each(given: Any, what: str, read: Callable[[Any], Any]) -> list[Any]:
    """Raises: InvalidInput, naming each field with its index in the array; WalletElsewhere."""
    wallets().refuse_elsewhere()
    if not isinstance(given, list) or not 1 <= len(given) <= ORDERS_MAX:
        raise InvalidInput(FieldError("body", f"Must be an array of 1 to {ORDERS_MAX} {what}."))
    found, errors = [], []
    for index, item in enumerate(given):
        try:
            found.append(read(item))
        except InvalidInput as error:
            errors += [FieldError(f"[{index}].{wrong.field}", wrong.detail) for wrong in error.errors]
    if errors:
        raise InvalidInput(*errors[:20])
    return found
