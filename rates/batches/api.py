"""DRF's door: batches of prices."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import IO, Any, ClassVar

from django.conf import settings
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from common.errors import FieldError, InvalidInput
from common.text.fields import Field, Shape, instant
from gateway.errors import BodyTooLarge
from gateway.keys.scopes import KeyScope
from gateway.views.idempotent import idempotent
from gateway.views.strictview import StrictView
from rates.batches.bodies import BodyFormat
from rates.batches.cancelling import cancel_batch
from rates.batches.progress import batch_progress
from rates.batches.pruning import refuse_if_pruned
from rates.batches.serializers import BatchRowSerializer, BatchSerializer
from rates.batches.submitting import submit_batch
from rates.models import BatchReject


@dataclass(frozen=True, slots=True)
class BatchBody:
    """A body as it came. Its text is its digest: that is what an Idempotency-Key compares."""

    form: BodyFormat
    content: bytes

    def __str__(self) -> str:
        return f"{self.form} {sha256(self.content).hexdigest()}"


class BatchParser(BaseParser):
    form: ClassVar[BodyFormat]

    def parse(  # type: ignore[override]  # DRF hands on whatever a parser returns
        self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None
    ) -> BatchBody:
        content = stream.read(settings.BATCH_MAX_BYTES + 1)
        if len(content) > settings.BATCH_MAX_BYTES:
            raise BodyTooLarge.of(settings.BATCH_MAX_BYTES)
        return BatchBody(self.form, content)


class ArrayParser(BatchParser):
    media_type = "application/json"
    form = BodyFormat.JSON


class NdjsonParser(BatchParser):
    media_type = "application/x-ndjson"
    form = BodyFormat.NDJSON


class CsvParser(BatchParser):
    media_type = "text/csv"
    form = BodyFormat.CSV


DEADLINE: Shape = {"deadline": Field(instant, is_required=False)}


class BatchesView(StrictView):
    """Store many prices, to be applied by workers. What is sent twice is there twice, but for an Idempotency-Key."""

    scopes = {"post": KeyScope.RATES_WRITE}
    parser_classes = [ArrayParser, NdjsonParser, CsvParser]
    queries = {"post": DEADLINE}

    @extend_schema(
        operation_id="submit_price_batch",
        parameters=[OpenApiParameter("deadline", OpenApiTypes.DATETIME, description="When all of it is to be done.")],
        request={
            ArrayParser.media_type: BatchRowSerializer(many=True),
            NdjsonParser.media_type: OpenApiTypes.STR,
            CsvParser.media_type: OpenApiTypes.STR,
        },
        responses={
            202: BatchSerializer,
            413: OpenApiResponse(description="Too many bytes, rows or prices; send it in parts."),
            415: OpenApiResponse(description="The Content-Type is none of these."),
            422: OpenApiResponse(
                description="`deadline-unreachable`, or the Idempotency-Key was used for another body."
            ),
        },
    )
    @idempotent
    def post(self, request: Request) -> Response:
        deadline_at: datetime | None = self.query["deadline"]
        body = request.data
        if not isinstance(body, BatchBody):  # DRF asks no parser where there is no body
            raise InvalidInput(FieldError("body", "Has no rows."))
        batch_id = submit_batch(body.content, body.form, deadline_at)
        where = reverse("price-batch", [batch_id], request=request)
        return Response(BatchSerializer(batch_progress(batch_id)).data, status=202, headers={"Location": where})


class BatchView(StrictView):
    """Where a batch stands."""

    scopes = {"get": KeyScope.READ}

    @extend_schema(operation_id="get_price_batch", responses=BatchSerializer)
    def get(self, request: Request, batch_id: int) -> Response:
        return Response(BatchSerializer(batch_progress(batch_id)).data)


class CancelBatchView(StrictView):
    """Stop a batch that has not ended; what was applied stays."""

    scopes = {"post": KeyScope.OPERATE}

    @extend_schema(operation_id="cancel_price_batch", request=None, responses=BatchSerializer)
    @idempotent
    def post(self, request: Request, batch_id: int) -> Response:
        cancel_batch(batch_id)
        return Response(BatchSerializer(batch_progress(batch_id)).data)


class BatchErrorsView(StrictView):
    """Rows of a batch that became no price, as CSV."""

    scopes = {"get": KeyScope.READ}

    @extend_schema(
        operation_id="get_price_batch_errors",
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR),
            410: OpenApiResponse(description="They were kept for BATCH_KEEP_DAYS after its end."),
        },
    )
    def get(self, request: Request, batch_id: int) -> StreamingHttpResponse:
        batch_progress(batch_id)
        refuse_if_pruned(batch_id)
        disposition = f'attachment; filename="batch-{batch_id}-errors.csv"'
        return StreamingHttpResponse(
            _error_lines(batch_id),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": disposition},
        )


_ERROR_COLUMNS = ("row", "code", "detail", "raw")


class _Echo:
    """Hands each line of a csv.writer back."""

    def write(self, line: str) -> str:
        return line


def _error_lines(batch_id: int) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(_ERROR_COLUMNS)
    rows = BatchReject.objects.filter(batch=batch_id).values_list(*_ERROR_COLUMNS)
    for row in rows.iterator(chunk_size=5_000):
        yield writer.writerow(row)
