"""What is refused before anything looks at it, and before its body is read."""

import re
from functools import lru_cache

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from common.errors import FieldError, InvalidInput
from common.text.fields import read_query
from gateway.contract.headers import Fields
from gateway.errors import CrossSiteRequest, EncodedBody, ForeignHost, UnknownMethod, UnknownTransferCoding

NO_BODY_BYTES = 4_096  # of a body where none belongs: more than this says something
# Empty, or what clients write that always write a form or JSON: an end of a multipart body alone, an empty value.
_NOTHING = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:--[^\r\n]*--|\"\"|\{\s*\}|\[\s*\]|null)?\s*")
READING = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS = READING | {"POST", "PUT", "PATCH", "DELETE"}


def refuse_strange(method: str, fields: Fields) -> None:
    """Raise UnknownMethod for an invented method, each of which would become a metric's label.

    Raise EncodedBody for a body that is compressed, UnknownTransferCoding for one that is so on its way.

    Raise ForeignHost for a name that is not ours, as Django does.

    Raise CrossSiteRequest for a write that a browser sends for a page of another site: such pages can post forms and
    plain text to a server that only the user's machine reaches. Other clients send neither of these headers. Pages of
    settings.CORS_ALLOWED_ORIGINS are no strangers.
    """
    if method not in METHODS:
        raise UnknownMethod
    if (fields.get(b"transfer-encoding") or b"chunked").lower() != b"chunked":
        raise UnknownTransferCoding
    host = fields.get(b"host")
    if host is not None and not _is_ours(host, tuple(settings.ALLOWED_HOSTS)):
        raise ForeignHost(host.decode("latin-1"))
    if method not in READING and _is_of_another_site(fields):
        raise CrossSiteRequest
    _refuse_encoded(method, fields)


@lru_cache(1_024)
def _is_ours(host: bytes, allowed: tuple[str, ...]) -> bool:
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, allowed)


def _is_of_another_site(fields: Fields) -> bool:
    """Browsers tell the site only where they trust the connection, and the page's origin with every write."""
    site, origin = fields.get(b"sec-fetch-site"), fields.get(b"origin")
    if origin is not None and _is_allowed(origin):
        return False
    if site is not None:
        return site not in (b"same-origin", b"none")
    return origin is not None and origin.partition(b"://")[2] != fields.get(b"host")


def _is_allowed(origin: bytes) -> bool:
    allowed = settings.CORS_ALLOWED_ORIGINS
    return bool(allowed) and (allowed == ("*",) or origin.decode("latin-1") in allowed)


def _refuse_encoded(method: str, fields: Fields) -> None:
    """Raise EncodedBody; who sends no body may say of it what it likes."""
    encoding = fields.get(b"content-encoding")
    if encoding is None or not has_body(method, fields):
        return
    if any(coding.strip().lower() not in (b"", b"identity") for coding in encoding.split(b",")):
        raise EncodedBody


def has_body(method: str, fields: Fields) -> bool:
    """Whether one may come; of a write without a length that is not known."""
    length = fields.get(b"content-length")
    if length is not None:
        return length.strip(b"0") != b""
    return method not in READING or b"transfer-encoding" in fields


def refuse_body(body: bytes, help_text: str = "This address takes none: leave it empty.") -> None:
    """Where none belongs: nobody must believe that it counted. Raises InvalidInput."""
    if not _NOTHING.fullmatch(body):
        raise InvalidInput(FieldError("body", help_text))


def refuse_query(query_string: bytes) -> None:
    """Where none belongs. Raises InvalidInput, naming each parameter."""
    read_query(query_string, {})
