"""Errors as RFC 9457 problem details: the one place where a kind becomes a status."""

import json
import logging
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.admin.exceptions import DisallowedModelAdminLookup, DisallowedModelAdminToField
from django.core.exceptions import (
    DisallowedHost,
    RequestDataTooBig,
    SuspiciousMultipartForm,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType, ValidationError
from rest_framework.response import Response

from common.errors import (
    Broken,
    Conflict,
    FieldError,
    FloodgateError,
    Forbidden,
    Gone,
    Invalid,
    InvalidInput,
    NotFound,
    RateLimited,
    StoreUnavailable,
    TooLarge,
    Unavailable,
    Unprocessable,
)
from common.stores.guarded import STORE_AWAY
from common.text.exactjson import dump_exactly
from gateway.contract.http import Reply
from gateway.errors import EncodedBody, ForeignHost, HttpError, InsufficientScope, LoginLocked, Unauthorized

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
_encode = json.JSONEncoder(ensure_ascii=False).encode
STATUS_BY_KIND: dict[type[FloodgateError], HTTPStatus] = {
    Invalid: HTTPStatus.BAD_REQUEST,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Gone: HTTPStatus.GONE,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Unprocessable: HTTPStatus.UNPROCESSABLE_ENTITY,
    RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    Broken: HTTPStatus.SERVICE_UNAVAILABLE,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


@cache
def status_of(error: type[FloodgateError]) -> HTTPStatus:
    """Its own, that of its kind, or 500: an error of no kind is our fault."""
    if issubclass(error, HttpError):
        return error.status
    kinds = (STATUS_BY_KIND[kind] for kind in error.__mro__ if kind in STATUS_BY_KIND)
    return next(kinds, HTTPStatus.INTERNAL_SERVER_ERROR)


def problem_reply(error: FloodgateError, correlation_id: str) -> Reply:
    """The answer to a request that ended in ``error``."""
    status = status_of(type(error))  # type: ignore[arg-type]  # mypy takes a hash of errors for that of their classes
    errors = error.errors if isinstance(error, InvalidInput) else ()
    body = problem_body(status, error.code, error.detail, correlation_id, errors)
    if members := error.members():
        body = body[:-1] + b", " + dump_exactly(members)[1:].encode()
    return Reply(status, body, _problem_headers(error), CONTENT_TYPE.encode())


def _problem_headers(error: FloodgateError) -> tuple[tuple[bytes, bytes], ...]:
    """What a client needs to do better; for a limit the fields of draft-ietf-httpapi-ratelimit-headers-10."""
    if isinstance(error, Unauthorized | InsufficientScope):
        return ((b"www-authenticate", error.challenge.encode()),)
    if isinstance(error, EncodedBody):
        return ((b"accept-encoding", b"identity"),)
    if isinstance(error, RateLimited):
        policy, seconds = error.policy.encode(), error.retry_after_seconds
        return (
            (b"retry-after", b"%d" % seconds),
            (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (policy, error.quota, error.window_seconds)),
            (b"ratelimit", b'"%b";r=0;t=%d' % (policy, seconds)),
        )
    if isinstance(error, Unavailable | LoginLocked):
        return ((b"retry-after", b"%d" % error.retry_after_seconds),)
    return ()


def problem_body(
    status: int, code: str, detail: str, correlation_id: str, errors: tuple[FieldError, ...] | list[FieldError] = ()
) -> bytes:
    """UTF-8 JSON of one problem; ``type`` names the code, ``title`` is the status's standard phrase."""
    rest: dict[str, Any] = {"correlation_id": correlation_id}
    if errors:
        rest["errors"] = [{"field": error.field, "detail": error.detail} for error in errors]
    body = _head(status, code, detail) + _encode(rest)[1:]
    return body.encode(errors="replace")  # names of fields may hold half a surrogate


@lru_cache(1_024)
def _head(status: int, code: str, detail: str) -> str:
    """The members that refusals of a flood share, up to the next one."""
    problem = {
        "type": f"urn:floodgate:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
    }
    return _encode(problem)[:-1] + ", "


def problem_response(request: HttpRequest, status: int, code: str, detail: str, **kwargs: Any) -> HttpResponse:
    """The same for Django's views."""
    correlation_id = request.headers.get("X-Correlation-ID", "")
    body = problem_body(status, code, detail, correlation_id, **kwargs)
    return HttpResponse(body, status=status, content_type=CONTENT_TYPE)


def drf_exception_handler(exc: Exception, context: dict[str, Any]) -> Response | HttpResponse | None:
    """DRF's errors and ours as problems; anything else stays an exception and becomes ``server_error``."""
    request: HttpRequest = context["request"]
    if isinstance(exc, FloodgateError):
        return problem_to(request, exc)
    if answer := store_problem(exc, request):
        return answer
    if isinstance(exc, RequestDataTooBig):
        detail = "A form or JSON body is too large here; send files as multipart `file`."
        return problem_response(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large", detail)
    if isinstance(exc, Http404):
        return problem_response(request, HTTPStatus.NOT_FOUND, "not-found", str(exc) or "There is nothing here.")
    if not isinstance(exc, APIException):
        return None
    errors = _field_errors(exc.detail) if isinstance(exc, ValidationError | ParseError) else []
    code = "invalid-input" if errors else HTTPStatus(exc.status_code).phrase.lower().replace(" ", "-")
    detail = InvalidInput.default_detail if errors else str(exc.detail)
    if isinstance(exc, UnsupportedMediaType):
        types = [parser.media_type for parser in context["view"].get_parsers()]
        detail = f"Send Content-Type: {', '.join(types[:-1])} or {types[-1]}."
    response = problem_response(request, exc.status_code, code, detail, errors=errors)
    for header in ("Allow", "WWW-Authenticate"):
        if value := context["view"].headers.get(header):
            response[header] = value
    return response


def store_problem(exc: Exception, request: HttpRequest) -> HttpResponse | None:
    """503 for an error that means a store is away; None for any other."""
    if not isinstance(exc, STORE_AWAY):
        return None
    logger.warning("store_unavailable", exc_info=exc)
    return problem_to(request, StoreUnavailable())


def problem_to(request: HttpRequest, error: FloodgateError) -> HttpResponse:
    """The answer to a request in Django that ended in ``error``."""
    return as_http_response(problem_reply(error, request.headers.get("X-Correlation-ID", "")))


def as_http_response(reply: Reply) -> HttpResponse:
    response = HttpResponse(reply.body, status=reply.status, content_type=reply.content_type.decode())
    for name, value in reply.headers:
        response[name.decode()] = value.decode()
    if not reply.body:
        del response["Content-Type"]
    return response


def _field_errors(detail: Any, field: str = "") -> list[FieldError]:
    """DRF nests errors by field; here they become a flat list with dotted names."""
    if isinstance(detail, dict):
        return [e for name, inner in detail.items() for e in _field_errors(inner, f"{field}.{name}".strip("."))]
    if isinstance(detail, list):
        return [error for inner in detail for error in _field_errors(inner, field)]
    return [FieldError(field or "body", str(detail))]


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_response(request, HTTPStatus.NOT_FOUND, "not-found", f"There is nothing at {request.path}.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django calls suspicious, or cannot read."""
    if isinstance(exception, RequestDataTooBig):
        detail = f"A form has at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes here, files aside."
        return problem_response(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large", detail)
    return problem_response(request, HTTPStatus.BAD_REQUEST, "bad-request", _why_bad(request, exception))


def _why_bad(request: HttpRequest, exception: Exception) -> str:
    """Django's own sentences are for its log: some tell paths of this machine."""
    match exception:
        case DisallowedHost():
            return ForeignHost(request.META.get("HTTP_HOST", request.META["SERVER_NAME"])).detail
        case TooManyFieldsSent():
            return f"A form or query has at most {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:,} fields here."
        case TooManyFilesSent():
            return f"A form has at most {settings.DATA_UPLOAD_MAX_NUMBER_FILES:,} files here."
        case DisallowedModelAdminLookup():
            return "This page has no such filter."
        case DisallowedModelAdminToField():
            return "`_to_field` names no field by which others refer to these rows."
        case MultiPartParserError() | SuspiciousMultipartForm():
            return "The body is no multipart form that can be read."
    return "The request is malformed."


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    detail = "This form was not sent from a page of ours, or its page is too old: load the page again, with cookies on."
    return problem_response(request, HTTPStatus.FORBIDDEN, "forbidden", detail)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_response(request, HTTPStatus.FORBIDDEN, "forbidden", "This is not yours to do.")


def server_error(request: HttpRequest) -> HttpResponse:
    detail = "Something went wrong on our side; the correlation id finds it in the logs."
    return problem_response(request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", detail)
