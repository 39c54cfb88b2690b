"""``Idempotency-Key`` for DRF views: the answer is a row of the same transaction as the effect.

So a process that is killed anywhere leaves both or nothing, and a repeat gets the first answer, byte by byte. Hot
endpoints have their own way (``HotRequest.idempotency``), because one transaction serves many of their requests. Not
for views that stream, or whose effect is outside of PostgreSQL.
"""

import json
import struct
from collections.abc import Callable
from functools import wraps
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.http import HttpResponse, QueryDict
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response

from common.idempotency import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotencyRecord
from gateway import models
from gateway.contract.idempotency import DIGEST_BYTES, HEADER, IDEMPOTENCY_KEY, REPLAYED_HEADER, idempotency_record
from gateway.contract.spool import storage_full_named
from gateway.keys.clients import account_of
from gateway.views.kept import expired_before

Handler = Callable[..., Response]


def idempotent(handler: Handler) -> Callable[..., Response | HttpResponse]:
    """Let a view's ``post`` take an Idempotency-Key; without one nothing changes.

    With one, the handler runs in a transaction, which ends before the answer leaves: what must not happen inside waits
    with ``transaction.on_commit``. An error or a status from 400 on rolls everything back and is not kept.

    Raises: InvalidInput: no such key; IdempotencyKeyReused; IdempotencyKeyInUse; and what the handler raises.
    """

    @wraps(handler)
    def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:
        key = request.headers.get(HEADER.decode())
        if key is None:
            return handler(view, request, *args, **kwargs)
        record = _record_of(request, key)
        with transaction.atomic():
            return _replayed(record) or _first(record, request, lambda: handler(view, request, *args, **kwargs))

    once.is_idempotent = True  # type: ignore[attr-defined]
    described: Callable[..., Response | HttpResponse] = extend_schema(parameters=[IDEMPOTENCY_KEY])(once)
    return described


def _replayed(record: IdempotencyRecord) -> HttpResponse | None:
    """The answer that is kept; None makes this the first request, alone until the transaction ends."""
    _lock(record)  # its own statement: the next one must see what the last holder committed
    kept = models.IdempotencyRecord.objects.filter(pk=record.digest, created_at__gt=expired_before()).first()
    if kept is None:
        return None
    if bytes(kept.fingerprint) != record.fingerprint:
        raise IdempotencyKeyReused
    response = HttpResponse(bytes(kept.body), status=kept.status, headers=dict(kept.headers))
    name, value = REPLAYED_HEADER
    response[name.decode().title()] = value.decode()
    return response


def _lock(record: IdempotencyRecord) -> None:
    """Until the transaction ends. 64 bits of the digest: keys that share them exclude each other while one runs."""
    (number,) = struct.unpack_from(">q", record.digest)
    with connection.cursor() as cursor:
        # The handler may be busy with files for long before its first statement.
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(%s), set_config('idle_in_transaction_session_timeout', '10min', true)",
            [number],
        )
        if not cursor.fetchone()[0]:
            raise IdempotencyKeyInUse


def _first(record: IdempotencyRecord, request: Request, run: Callable[[], Response]) -> HttpResponse | Response:
    answer = run()
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        transaction.set_rollback(True)
        return answer
    response = _as_sent(answer, request)
    _keep(record, response)
    return response


def _as_sent(answer: Response, request: Request) -> HttpResponse:
    """Rendered here rather than by DRF later, so that what is kept is what is sent."""
    renderer = request.accepted_renderer
    body = b"" if answer.data is None else renderer.render(answer.data, request.accepted_media_type)
    headers = {**answer.headers, "Content-Type": renderer.media_type}
    sent = HttpResponse(body, status=answer.status_code, headers=headers)
    sent.data = answer.data  # type: ignore[attr-defined]  # for the audit, which names what was made
    return sent


def _keep(record: IdempotencyRecord, response: HttpResponse) -> None:
    """In place of an expired row that is not swept yet."""
    kept = models.IdempotencyRecord(
        digest=record.digest,
        fingerprint=record.fingerprint,
        status=response.status_code,
        headers=list(response.headers.items()),
        body=response.content,
        created_at=timezone.now(),
    )
    columns = ["fingerprint", "status", "headers", "body", "created_at"]
    models.IdempotencyRecord.objects.bulk_create(
        [kept], update_conflicts=True, unique_fields=["digest"], update_fields=columns
    )


def _record_of(request: Request, key: str) -> IdempotencyRecord:
    account = account_of(request.headers)
    match = request.resolver_match
    route = match.route if match else request.path
    address = (request.method or "", request.path, request.META.get("QUERY_STRING", ""))
    with storage_full_named():  # parsing writes uploads to the disk
        content = _content(request)
    return idempotency_record(key.encode("latin-1", "replace"), account, route, *map(str.encode, address), *content)


def _content(request: Request) -> list[bytes]:
    """Of what the view gets, not of the bytes that came: the boundaries of a multipart body differ in each attempt."""
    try:
        data = request.data
    except UnsupportedMediaType:  # a view that takes no body ignores one, and any other raises this itself
        return []
    fields = list(QueryDict.lists(request.POST)) if isinstance(data, QueryDict) else data
    files = [_file(name, file) for name, files in request.FILES.lists() for file in files]
    return [json.dumps(fields, sort_keys=True, default=str).encode(), *files]


def _file(field: str, file: "UploadedFile[Any]") -> bytes:
    digest = blake2b(json.dumps([field, file.name]).encode(), digest_size=DIGEST_BYTES)
    for piece in file.chunks():
        digest.update(piece)
    file.seek(0)
    return digest.digest()
