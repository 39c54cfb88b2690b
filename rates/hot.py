"""Hot endpoints of rates."""

from typing import Any, NamedTuple

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer
from rest_framework import serializers

from common.errors import FloodgateError
from common.stores.circuits import Circuit
from common.stores.guarded import ask_database
from gateway.contract.csvform import prefers_csv
from gateway.contract.http import HotRequest, Reply
from gateway.endpoints.hot import HotEndpoint, register
from gateway.endpoints.shapes import described
from gateway.keys.scopes import KeyScope
from gateway.views.openapi import CONDITIONAL, NOT_MODIFIED
from rates.parsing import RATES, read_rates_query
from rates.questions.answers import CONTENT_TYPES, csv_body, etag_of, json_body
from rates.questions.averages import BATCH_SECONDS, read_rates
from rates.types import CSV, JSON, RatesAnswer, RatesQuery

READ_BATCH = 16  # large questions take some 50 ms each
# A circuit and threads of its own: large questions must not hold up writers, nor close the store to them.
QUESTIONS = Circuit("rates", lambda: ask_database("default"), database="default")


RatesQuerySerializer = described("RatesQuery", RATES)


def _statistic() -> serializers.DecimalField:
    return serializers.DecimalField(12, 2, required=False, allow_null=True, help_text="USD; with `stats` only.")


class DayRateSerializer(serializers.Serializer[None]):
    day = serializers.DateField()
    average_price = serializers.IntegerField(
        allow_null=True, help_text="USD, rounded half-up; null with fewer than min_prices prices."
    )
    count = serializers.IntegerField(required=False, help_text="Number of prices; with `stats` only.")
    min, max, median, p25, p75 = (_statistic() for _ in range(5))


class LaneSerializer(serializers.Serializer[None]):
    origin = serializers.CharField()
    destination = serializers.CharField()


class FallbackDayRateSerializer(DayRateSerializer):
    actual = LaneSerializer(allow_null=True, help_text="What the average is of; null where it is of nothing.")


class FallbackRatesSerializer(serializers.Serializer[None]):
    asked = LaneSerializer()
    days = FallbackDayRateSerializer(many=True)


RESPONSES: dict[Any, Any] = {
    (200, "application/json"): PolymorphicProxySerializer(
        "Rates",
        [DayRateSerializer(many=True), FallbackRatesSerializer],
        resource_type_field_name=None,
        many=False,
    ),
    (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, "A line per day under a header, for `Accept: text/csv`."),
    **NOT_MODIFIED,
    404: OpenApiResponse(description="There is no such port or region; `errors` names the field."),
    422: OpenApiResponse(description="`query-too-large` or `too-many-prices`: ask for less."),
}


class Answered(NamedTuple):
    """Attributes: body: None where the client has it already."""

    version: int
    form: str
    body: bytes | None


def parse_rates(request: HotRequest) -> RatesQuery:
    query = read_rates_query(request.query_string)
    etags = request.fields.get(b"if-none-match", b"").decode("latin-1").split(",")
    known = tuple(etag.strip().removeprefix("W/") for etag in etags if etag.strip())
    form = CSV if prefers_csv(request.fields.get(b"accept", b"")) else JSON
    return query._replace(form=form, etags=known)


def answer_rates(queries: list[RatesQuery]) -> list[Answered | FloodgateError]:
    """Bodies are written here, on the thread of the batch."""
    answers = zip(queries, read_rates(queries), strict=True)
    return [
        answer if isinstance(answer, FloodgateError) else Answered(answer.version, query.form, _body(query, answer))
        for query, answer in answers
    ]


def _body(query: RatesQuery, answer: RatesAnswer) -> bytes | None:
    if answer.days is None:
        return None
    return csv_body(query, answer) if query.form == CSV else json_body(query, answer)


def reply_rates(request: HotRequest, answered: Answered) -> Reply:
    headers = (
        (b"etag", etag_of(answered.version, answered.form).encode()),
        (b"x-data-version", b"%d" % answered.version),
        (b"cache-control", b"no-cache"),
        (b"vary", b"accept"),
    )
    if answered.body is None:
        return Reply(304, b"", headers)
    return Reply(200, answered.body, headers, CONTENT_TYPES[answered.form])


def _rates_endpoint(name: str, path: str, *, has_view: bool) -> HotEndpoint[RatesQuery, Answered]:
    return HotEndpoint(
        name=name,
        method="GET",
        path=path,
        needs=KeyScope.READ,
        parse=parse_rates,
        run=answer_rates,
        reply=reply_rates,
        store=QUESTIONS,
        batch_limit=READ_BATCH,
        batch_seconds=BATCH_SECONDS,
        has_view=has_view,
        responses=RESPONSES,
        parameters=(RatesQuerySerializer, *CONDITIONAL),
        description=(
            "The average price of each day between two ports or regions, with all that is under them. "
            "A list; with `fallback` an object that says of each day what it is of."
        ),
    )


READ_RATES = _rates_endpoint("read_rates", "/rates", has_view=True)
register(READ_RATES, _rates_endpoint("read_rates_null", "/rates_null", has_view=False))
