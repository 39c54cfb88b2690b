"""DRF's door for uploads of single prices; ``hot.py`` has the questions."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import FloodgateError
from gateway.endpoints.shapes import described
from gateway.keys.scopes import KeyScope
from gateway.views.drf import twin_of
from gateway.views.exactview import ExactView
from gateway.views.idempotent import idempotent
from rates.hot import READ_RATES
from rates.parsing import UPLOAD, read_upload
from rates.prices.uploading import upload_prices
from rates.types import PriceRange, Upload, Uploaded

UploadSerializer = described("Upload", UPLOAD)


class AddedRangeSerializer(serializers.Serializer[None]):
    date_from = serializers.DateField()
    date_to = serializers.DateField()
    price_usd = serializers.DecimalField(12, 2)
    exchange_rate = serializers.DecimalField(24, 12, allow_null=True, help_text="USD for one unit; null for USD.")
    rate_on = serializers.DateField(allow_null=True)
    provider = serializers.CharField(allow_null=True)


class UploadedSerializer(UploadSerializer):  # type: ignore[misc, valid-type]  # a class that was made
    observations = serializers.IntegerField(help_text="Days, one price each.")
    added = AddedRangeSerializer(many=True, help_text="Several where the exchange rate changed.")


class RatesView(ExactView):
    """Averages per day, and an upload of a price."""

    scopes = {"get": KeyScope.READ, "post": KeyScope.RATES_WRITE}
    get = twin_of(READ_RATES)

    @extend_schema(
        operation_id="upload_price",
        description="Add one price for each day of a range, converted to USD with the rate of the day.",
        request=UploadSerializer,
        responses={
            201: UploadedSerializer,
            404: OpenApiResponse(description="There is no such port; `errors` names the field."),
        },
    )
    @idempotent
    def post(self, request: Request) -> Response:
        upload = read_upload(request.data)
        (outcome,) = upload_prices([upload])
        if isinstance(outcome, FloodgateError):
            raise outcome
        return Response(_uploaded(upload, outcome), status=201)


def _uploaded(upload: Upload, outcome: Uploaded) -> dict[str, Any]:
    return {
        "date_from": upload.date_from,
        "date_to": upload.date_to,
        "origin_code": upload.origin_code,
        "destination_code": upload.destination_code,
        "price": upload.price,
        "currency": upload.currency,
        "observations": (upload.date_to - upload.date_from).days + 1,
        "added": [_added(wanted) for wanted in outcome.ranges],
    }


def _added(wanted: PriceRange) -> dict[str, Any]:
    rate = wanted.provenance
    return {
        "date_from": wanted.date_from,
        "date_to": wanted.date_to,
        "price_usd": wanted.price_usd,
        "exchange_rate": rate and rate.exchange_rate,
        "rate_on": rate and rate.rate_on,
        "provider": rate and rate.provider,
    }
