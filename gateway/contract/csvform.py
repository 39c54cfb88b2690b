"""Addresses that answer as JSON or, for who prefers it, as CSV."""

from functools import lru_cache

from django.http import HttpRequest

ACCEPT_MAX_BYTES = 500  # browsers send 130; the event loop waits while it is parsed
_MEDIA_TYPES = ["application/json", "text/csv", "text/csv; charset=utf-8"]  # the first for who takes anything
CSV_TYPE = "text/csv; charset=utf-8"


@lru_cache(256)  # parsing takes 0.3 ms, and clients have few
def prefers_csv(accept: bytes) -> bool:
    """Of a header: q-values count, and of equals the first. JSON is for all others, whatever they accept."""
    if len(accept) > ACCEPT_MAX_BYTES:
        return False
    request = HttpRequest()
    request.META["HTTP_ACCEPT"] = accept.decode("latin-1").lower()
    try:
        preferred = request.get_preferred_type(_MEDIA_TYPES)
    except ValueError:  # an encoding that nobody knows, in a parameter of a type
        return False
    return preferred is not None and preferred.startswith("text/csv")
