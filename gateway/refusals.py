"""What is refused before anything looks at it."""

from gateway.errors import CrossSiteRequest, UnknownMethod
from gateway.http import Headers, find_header

READING = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS = READING | {"POST", "PUT", "PATCH", "DELETE"}


def refuse_strange(method: str, headers: Headers) -> None:
    """Raise UnknownMethod for an invented method, each of which would become a metric's label.

    Raise CrossSiteRequest for a write that a browser sends for a page of another site: such pages can post forms and
    plain text to a server that only the user's machine reaches. Other clients send neither of these headers.
    """
    if method not in METHODS:
        raise UnknownMethod
    if method not in READING and _is_of_another_site(headers):
        raise CrossSiteRequest


def _is_of_another_site(headers: Headers) -> bool:
    """Browsers tell the site only where they trust the connection, and the page's origin with every write."""
    site, origin = find_header(headers, b"sec-fetch-site"), find_header(headers, b"origin")
    if site is not None:
        return site not in (b"same-origin", b"none")
    return origin is not None and origin.partition(b"://")[2] != find_header(headers, b"host")
