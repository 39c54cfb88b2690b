"""For OpenAPI: requests as ``parsing.py`` reads them, and answers, which are the types themselves."""

from typing import Any

from rest_framework import serializers

from gateway.endpoints.shapes import described
from vouchers.models import GenerationStatus, RedemptionState, TransferKind
from vouchers.parsing import GENERATION, MOVEMENT, PROFILE, REDEEM, REPORT, STATEMENT, VOUCHER
from vouchers.types import OrderOutcome

_TERMS = {
    "amount": 10.5,
    "limit": 300,
    "starts_at": "2026-01-01T00:00:00+01:00",
    "expires_at": "2036-01-01T00:00:00+01:00",
}
_PHONE_NUMBER = "+4915112345678"


def _money(**other: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=16, decimal_places=2, coerce_to_string=False, **other)


WantedVoucherSerializer = described("WantedVoucher", VOUCHER, {"code": "WELCOME", **_TERMS})
WantedGenerationSerializer = described("WantedGeneration", GENERATION, {"count": 1_000, "prefix": "WELCOME-", **_TERMS})
RedeemSerializer = described("Redeem", REDEEM, {"phone_number": _PHONE_NUMBER, "code": "WELCOME"})
ReportQuerySerializer = described("ReportQuery", REPORT)
WantedProfileSerializer = described("WantedProfile", PROFILE, {"phone_number": _PHONE_NUMBER, "balance": 20})
MovementSerializer = described("Movement", MOVEMENT, {"phone_number": _PHONE_NUMBER, "amount": -2.5})
StatementQuerySerializer = described("StatementQuery", STATEMENT)


class VoucherSerializer(serializers.Serializer[None]):
    amount = _money()
    limit = serializers.IntegerField(min_value=1)
    starts_at = serializers.DateTimeField(required=False)
    expires_at = serializers.DateTimeField(required=False)
    code = serializers.CharField()
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


class ReportedRedemptionSerializer(serializers.Serializer[None]):
    id = serializers.UUIDField()
    voucher_code = serializers.CharField()
    redeemer = serializers.CharField()
    created_at = serializers.DateTimeField()


class ReportSerializer(serializers.Serializer[None]):
    length = serializers.IntegerField(help_text="Of this page.")
    redemptions = ReportedRedemptionSerializer(many=True)
    cursor = serializers.UUIDField(allow_null=True)


class ProfileSerializer(serializers.Serializer[None]):
    id = serializers.IntegerField()
    phone_number = serializers.CharField(help_text="E.164.")
    balance = _money()


class MovedSerializer(serializers.Serializer[None]):
    phone_number = serializers.CharField(help_text="E.164.")
    amount = _money()
    id = serializers.IntegerField()
    balance = _money()
    created_at = serializers.DateTimeField()


class StatementLineSerializer(serializers.Serializer[None]):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=TransferKind.choices)
    amount = _money()
    redemption_id = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()


class StatementSerializer(serializers.Serializer[None]):
    transactions = StatementLineSerializer(many=True)
    cursor = serializers.IntegerField(allow_null=True)


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
