"""What is refused before anything looks at it."""

from gateway.errors import CrossSiteRequest, UnknownMethod
from gateway.http import Headers, find_header

READING = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS = READING | {"POST", "PUT", "PATCH", "DELETE"}


def refuse_strange(method: str, headers: Headers) -> None:
    """Raise UnknownMethod for an invented method, each of which would become a metric's label.

    Raise CrossSiteRequest for a write that a browser sends for a page of another site: such pages can post forms to
    a server on the user's own machine.
    """
    if method not in METHODS:
        raise UnknownMethod
    if method not in READING and find_header(headers, b"sec-fetch-site") == b"cross-site":
        raise CrossSiteRequest
