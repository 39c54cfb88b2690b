"""DRF's door: imports and versions."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from common.errors import FieldError, InvalidInput
from common.stores.guarded import READ_STORE, WRITE_STORE
from common.text.fields import Field, Shape, kind, read_fields, whole
from gateway.contract.multipart import WholeMultiPartParser
from gateway.contract.spool import storage_full_named
from gateway.endpoints.shapes import described
from gateway.keys.scopes import KeyScope
from gateway.views.exactview import ExactJSONParser
from gateway.views.idempotent import idempotent
from gateway.views.strictview import StrictView, single_values
from promotions.imports.cancelling import cancel_import
from promotions.imports.progress import import_progress, imports_progress
from promotions.imports.rejects import refuse_if_pruned
from promotions.imports.sources import resolve_source
from promotions.imports.submitting import submit_import
from promotions.imports.uploads import keep_file, keep_stream
from promotions.models import Import, Reject, Version
from promotions.serializers import ImportSerializer, SubmittedSerializer, VersionSerializer
from promotions.versions.publishing import activate_version


@kind(type="string", description="A file under IMPORT_ROOT, relative or absolute.")
def _file_name(value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value or not _is_unicode(value):
        raise ValueError("Must be the name of a file under IMPORT_ROOT, as text.")
    return value


def _is_unicode(text: str) -> bool:
    """JSON can spell half a surrogate pair, which is no character and fits into no file name."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


@kind(type="string", format="binary", description="The file itself.")
def _upload(value: Any) -> "UploadedFile[Any]":
    if not isinstance(value, UploadedFile):
        raise ValueError("Must be the file itself, as a part of a multipart/form-data body that has a filename.")
    return value


SOURCE: Shape = {"filename": Field(_file_name, is_required=False), "file": Field(_upload, is_required=False)}
ProcessCsvSerializer = described("ProcessCsv", SOURCE)


class ProcessCsvView(StrictView):
    """Replace the served promotions with a file: one under IMPORT_ROOT by name, or an upload."""

    scopes = {"post": KeyScope.PROMOTIONS_WRITE}
    parser_classes = [FormParser, WholeMultiPartParser, ExactJSONParser]

    @extend_schema(operation_id="process_csv", request=ProcessCsvSerializer, responses={202: SubmittedSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        with storage_full_named():  # parsing writes an upload to the disk
            wanted = read_fields(single_values(request.data), SOURCE)
        if len(given := [name for name, value in wanted.items() if value is not None]) != 1:
            raise InvalidInput(FieldError("filename", "Send either `filename` or `file`."))
        if given == ["file"]:
            submitted = submit_import(wanted["file"].name, _take_over(wanted["file"]), is_upload=True)
        else:
            name = wanted["filename"]
            submitted = submit_import(name, resolve_source(name, settings.IMPORT_ROOT))
        status_url = reverse("import", [submitted.id], request=request)
        body = {"id": submitted.id, "status": submitted.status, "status_url": status_url}
        return Response(body, status=202, headers={"Location": status_url})


def _take_over(upload: "UploadedFile[Any]") -> Path:
    with storage_full_named():
        if isinstance(upload, TemporaryUploadedFile):
            return keep_file(Path(upload.temporary_file_path()))
        return keep_stream(upload)


class ImportPagination(LimitOffsetPagination):
    default_limit = 50
    max_limit = 1_000


PAGE: Shape = {  # checked before the paginator reads them again, which takes anything
    "limit": Field(whole(1, ImportPagination.max_limit), is_required=False),
    "offset": Field(whole(0, 2**63 - 1), is_required=False),
}


class ImportListView(StrictView, GenericAPIView[Import]):
    """Imports, the newest first."""

    scopes = {"get": KeyScope.READ}
    queries = {"get": PAGE}
    queryset = Import.objects.all()
    pagination_class = ImportPagination
    serializer_class = ImportSerializer

    @extend_schema(operation_id="list_imports", responses=ImportSerializer(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset()) or []
        return self.get_paginated_response(ImportSerializer(imports_progress(page), many=True).data)


class ImportView(StrictView):
    """Progress of an import."""

    scopes = {"get": KeyScope.READ}

    @extend_schema(operation_id="get_import", responses=ImportSerializer)
    def get(self, request: Request, import_id: int) -> Response:
        return Response(ImportSerializer(import_progress(import_id)).data)


class CancelImportView(StrictView):
    """Stop an import that has not ended."""

    scopes = {"post": KeyScope.OPERATE}

    @extend_schema(operation_id="cancel_import", request=None, responses=ImportSerializer)
    @idempotent
    def post(self, request: Request, import_id: int) -> Response:
        cancel_import(import_id)
        return Response(ImportSerializer(import_progress(import_id)).data)


class RejectsView(StrictView):
    """Rows that were not loaded, and duplicates that a later line replaced, as CSV."""

    scopes = {"get": KeyScope.READ}

    @extend_schema(
        operation_id="get_rejects",
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR),
            410: OpenApiResponse(description="They were kept for IMPORT_KEEP_REJECTS_DAYS after its end."),
        },
    )
    def get(self, request: Request, import_id: int) -> StreamingHttpResponse:
        import_progress(import_id)
        refuse_if_pruned(import_id)
        disposition = f'attachment; filename="rejects-{import_id}.csv"'
        return StreamingHttpResponse(
            _reject_lines(import_id),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": disposition},
        )


_REJECT_COLUMNS = ("line", "offset", "column", "reason", "detail", "kept_line", "raw")


class _Echo:
    """Hands each line of a csv.writer back."""

    def write(self, line: str) -> str:
        return line


def _reject_lines(import_id: int) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(_REJECT_COLUMNS)
    rows = Reject.objects.filter(source_import=import_id).values_list(*_REJECT_COLUMNS)
    for row in rows.iterator(chunk_size=5_000):
        yield writer.writerow(row)


class VersionListView(StrictView, ListAPIView[Version]):
    """Published versions, the newest first."""

    scopes = {"get": KeyScope.READ}
    queries = {"get": PAGE}
    queryset = Version.objects.all()
    pagination_class = ImportPagination
    serializer_class = VersionSerializer


class ActivateVersionView(StrictView):
    """Serve a version again. 202 when that is decided but not delivered: the read store or the cache does not answer,
    or the request has an Idempotency-Key, whose answer is kept before the delivery starts.
    """

    scopes = {"post": KeyScope.OPERATE}
    stores = (WRITE_STORE, READ_STORE)

    @extend_schema(
        operation_id="activate_version", request=None, responses={200: VersionSerializer, 202: VersionSerializer}
    )
    @idempotent
    def post(self, request: Request, number: int) -> Response:
        version = VersionSerializer(activate_version(number)).data
        return Response(version, status=200 if version["is_live"] else 202)
