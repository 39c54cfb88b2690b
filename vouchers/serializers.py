"""Shapes for OpenAPI; ``parsing.py`` reads requests, and answers are the types themselves."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from vouchers.models import GenerationStatus, RedemptionState, TransferKind
from vouchers.parsing import GENERATION_MAX, OFFSET_MAX, PAGE_DEFAULT, PAGE_MAX
from vouchers.types import OrderOutcome


def _example(**fields: object) -> Callable[[type], type]:
    """A body that is taken as it stands."""
    return extend_schema_serializer(examples=[OpenApiExample("One", fields, request_only=True)])


_TERMS = {
    "amount": 10.5,
    "limit": 300,
    "starts_at": "2026-01-01T00:00:00+01:00",
    "expires_at": "2036-01-01T00:00:00+01:00",
}
_PHONE_NUMBER = "+4915112345678"


def _money(**other: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=16, decimal_places=2, coerce_to_string=False, **other)


class TermsSerializer(serializers.Serializer[None]):
    amount = _money()
    limit = serializers.IntegerField(min_value=1)
    starts_at = serializers.DateTimeField(required=False)
    expires_at = serializers.DateTimeField(required=False)


@_example(code="WELCOME", **_TERMS)
class WantedVoucherSerializer(TermsSerializer):
    code = serializers.RegexField(r"^[A-Za-z0-9._-]{1,64}$")


@_example(count=1_000, prefix="WELCOME-", **_TERMS)
class WantedGenerationSerializer(TermsSerializer):
    count = serializers.IntegerField(min_value=1, max_value=GENERATION_MAX)
    prefix = serializers.RegexField(r"^[A-Za-z0-9._-]{0,32}$", required=False)


class VoucherSerializer(WantedVoucherSerializer):
    id = serializers.IntegerField()
    remaining = serializers.IntegerField(help_text="Places that are free.")
    created_at = serializers.DateTimeField()


class GenerationSerializer(serializers.Serializer[None]):
    id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=GenerationStatus.choices)
    count = serializers.IntegerField()
    made = serializers.IntegerField(help_text="Vouchers that exist.")
    error = serializers.CharField(allow_null=True, help_text="Why it failed.")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class OrderedGenerationSerializer(GenerationSerializer):
    status_url = serializers.URLField(help_text="Where the order stands; with `/codes` behind it, what came of it.")


@_example(phone_number=_PHONE_NUMBER, code="WELCOME")
class RedeemSerializer(serializers.Serializer[None]):
    phone_number = serializers.CharField(help_text="E.164.")
    code = serializers.CharField()


class RedemptionSerializer(serializers.Serializer[None]):
    id = serializers.UUIDField()
    voucher_code = serializers.CharField()
    redeemer = serializers.CharField()
    amount = _money()
    state = serializers.ChoiceField(choices=RedemptionState.choices)
    created_at = serializers.DateTimeField()


class ReversedRedemptionSerializer(serializers.Serializer[None]):
    id = serializers.UUIDField()
    voucher_code = serializers.CharField()
    redeemer = serializers.CharField()
    amount = _money()
    created_at = serializers.DateTimeField()
    reversed_at = serializers.DateTimeField(allow_null=True, help_text="Null until another deployment's wallet agrees.")


class ReportQuerySerializer(serializers.Serializer[None]):
    code = serializers.CharField()
    limit = serializers.IntegerField(min_value=1, max_value=PAGE_MAX, default=PAGE_DEFAULT)
    offset = serializers.IntegerField(min_value=0, max_value=OFFSET_MAX, default=0, help_text="Not with a cursor.")
    cursor = serializers.UUIDField(required=False, help_text="Of the page before.")


class ReportedRedemptionSerializer(serializers.Serializer[None]):
    id = serializers.UUIDField()
    voucher_code = serializers.CharField()
    redeemer = serializers.CharField()
    created_at = serializers.DateTimeField()


class ReportSerializer(serializers.Serializer[None]):
    length = serializers.IntegerField(help_text="Of this page.")
    redemptions = ReportedRedemptionSerializer(many=True)
    cursor = serializers.UUIDField(allow_null=True)


@_example(phone_number=_PHONE_NUMBER, balance=20)
class WantedProfileSerializer(serializers.Serializer[None]):
    phone_number = serializers.CharField(help_text="E.164.")
    balance = _money(default=0)


class ProfileSerializer(serializers.Serializer[None]):
    id = serializers.IntegerField()
    phone_number = serializers.CharField(help_text="E.164.")
    balance = _money()


@_example(phone_number=_PHONE_NUMBER, amount=-2.5)
class MovementSerializer(serializers.Serializer[None]):
    phone_number = serializers.CharField(help_text="E.164.")
    amount = _money()


class MovedSerializer(MovementSerializer):
    id = serializers.IntegerField()
    balance = _money()
    created_at = serializers.DateTimeField()


class StatementQuerySerializer(serializers.Serializer[None]):
    limit = serializers.IntegerField(min_value=1, max_value=PAGE_MAX, default=PAGE_DEFAULT)
    cursor = serializers.IntegerField(required=False)


class StatementLineSerializer(serializers.Serializer[None]):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=TransferKind.choices)
    amount = _money()
    redemption_id = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()


class StatementSerializer(serializers.Serializer[None]):
    transactions = StatementLineSerializer(many=True)
    cursor = serializers.IntegerField(allow_null=True)


class WalletOrderSerializer(serializers.Serializer[None]):
    id = serializers.UUIDField(help_text="The same in each attempt.")
    kind = serializers.ChoiceField(choices=[TransferKind.REDEMPTION.value, TransferKind.REVERSAL.value])
    redemption_id = serializers.UUIDField()
    phone_number = serializers.CharField(help_text="E.164.")
    amount = _money()


class WalletOrderAnswerSerializer(serializers.Serializer[None]):
    id = serializers.UUIDField()
    outcome = serializers.ChoiceField(
        choices=[outcome.value for outcome in OrderOutcome],
        help_text="applied and refused are final; with conflict nothing was done.",
    )
    code = serializers.CharField(help_text="Why it was not applied, or empty.")


class OrderedTransferSerializer(serializers.Serializer[None]):
    redemption_id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=[TransferKind.REDEMPTION.value, TransferKind.REVERSAL.value])
    phone_number = serializers.CharField(help_text="E.164.")
    amount = _money()
