"""DRF's door: imports and versions."""

import csv
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from gateway.idempotent import idempotent
from gateway.spool import storage_full_named
from promotions.models import Import, Reject, Version
from promotions.progress import import_progress, imports_progress
from promotions.publishing import activate_version
from promotions.rejects import refuse_if_pruned
from promotions.serializers import ImportSerializer, ProcessCsvSerializer, SubmittedSerializer, VersionSerializer
from promotions.sources import resolve_source
from promotions.submitting import cancel_import, submit_import


class ProcessCsvView(APIView):
    """Replace the served promotions with a file: one under IMPORT_ROOT by name, or an upload."""

    parser_classes = [FormParser, MultiPartParser, JSONParser]

    @extend_schema(operation_id="process_csv", request=ProcessCsvSerializer, responses={202: SubmittedSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        with storage_full_named():  # parsing writes an upload to the disk
            wanted = ProcessCsvSerializer(data=request.data)
            wanted.is_valid(raise_exception=True)
        if "file" in wanted.validated_data:
            upload = wanted.validated_data["file"]
            submitted = submit_import(upload.name, _take_over(upload), is_upload=True)
        else:
            name = wanted.validated_data["filename"]
            submitted = submit_import(name, resolve_source(name, settings.IMPORT_ROOT))
        status_url = reverse("import", [submitted.id], request=request)
        body = {"id": submitted.id, "status": submitted.status, "status_url": status_url}
        return Response(body, status=202, headers={"Location": status_url})


def _take_over(upload: "UploadedFile[Any]") -> Path:
    """Keep an upload under IMPORT_ROOT, where the workers find it; no copy is made of a large one."""
    target = settings.IMPORT_ROOT / "uploads" / f"{uuid4()}.csv"
    with storage_full_named():
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(upload, TemporaryUploadedFile):
            shutil.move(upload.temporary_file_path(), target)
        else:
            target.write_bytes(upload.read())
        _make_durable(target)
    return target


def _make_durable(path: Path) -> None:
    """202 means that the upload survives a power cut."""
    for durable in (path, path.parent):
        descriptor = os.open(durable, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class ImportPagination(LimitOffsetPagination):
    default_limit = 50
    max_limit = 1_000


class ImportListView(GenericAPIView[Import]):
    """Imports, the newest first."""

    queryset = Import.objects.all()
    pagination_class = ImportPagination
    serializer_class = ImportSerializer

    @extend_schema(operation_id="list_imports", responses=ImportSerializer(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset()) or []
        return self.get_paginated_response(ImportSerializer(imports_progress(page), many=True).data)


class ImportView(APIView):
    """Progress of an import."""

    @extend_schema(operation_id="get_import", responses=ImportSerializer)
    def get(self, request: Request, import_id: int) -> Response:
        return Response(ImportSerializer(import_progress(import_id)).data)


class CancelImportView(APIView):
    """Stop an import that has not ended."""

    parser_classes = []  # takes no body

    @extend_schema(operation_id="cancel_import", request=None, responses=ImportSerializer)
    @idempotent
    def post(self, request: Request, import_id: int) -> Response:
        cancel_import(import_id)
        return Response(ImportSerializer(import_progress(import_id)).data)


class RejectsView(APIView):
    """Rows that were not loaded, and duplicates that a later line replaced, as CSV."""

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


class VersionListView(ListAPIView[Version]):
    """Published versions, the newest first."""

    queryset = Version.objects.all()
    pagination_class = ImportPagination
    serializer_class = VersionSerializer


class ActivateVersionView(APIView):
    """Serve a version again. 202 when that is decided but not delivered: the read store or the cache does not answer,
    or the request has an Idempotency-Key, whose answer is kept before the delivery starts.
    """

    parser_classes = []  # takes no body

    @extend_schema(
        operation_id="activate_version", request=None, responses={200: VersionSerializer, 202: VersionSerializer}
    )
    @idempotent
    def post(self, request: Request, number: int) -> Response:
        version = VersionSerializer(activate_version(number)).data
        return Response(version, status=200 if version["is_live"] else 202)
