"""What a header means that comes on several lines: at both doors the same.

HTTP joins the lines of a header whose value is a list. Any other must stand alone: whoever read the first of two, and
whoever read both as one, would do different things for one request.
"""

from collections import Counter
from collections.abc import Mapping

from common.errors import FieldError, InvalidInput

Headers = list[tuple[bytes, bytes]]  # names in lower case
Fields = Mapping[bytes, bytes]  # a header's value by its name, all its lines

ALONE = None
LIST = b","
# All that anything here reads, Django and its libraries too. What is not in it is joined as a list, and read by nobody.
JOINED_BY: dict[bytes, bytes | None] = {
    b"accept": LIST,
    b"access-control-request-headers": LIST,
    b"access-control-request-method": ALONE,
    b"authorization": ALONE,
    b"content-encoding": LIST,
    b"content-length": ALONE,  # two of them end at the server already
    b"content-type": ALONE,
    b"cookie": b"; ",
    b"correlationid": ALONE,
    b"host": ALONE,
    b"idempotency-key": ALONE,
    b"if-modified-since": ALONE,
    b"if-none-match": LIST,
    b"origin": ALONE,
    b"range": ALONE,
    b"referer": ALONE,
    b"sec-fetch-site": ALONE,
    b"x-correlation-id": LIST,  # two are no UUID, so a fresh id is made: no reason to refuse
    b"x-csrftoken": ALONE,
    b"x-forwarded-for": LIST,
    b"x-forwarded-proto": LIST,
}


def refuse_repeated(headers: Headers) -> None:
    """Raise InvalidInput for a header that must stand alone and comes twice."""
    counts = Counter(name for name, _ in headers)
    twice = (name for name, count in counts.items() if count > 1 and JOINED_BY.get(name, LIST) is ALONE)
    if errors := [FieldError(_spelled(name), "Comes twice; send one line of this header.") for name in twice]:
        raise InvalidInput(*errors)


def fields_of(headers: Headers) -> Fields:
    """Each header's value; that of one on several lines is all of them."""
    fields = dict(headers)
    if len(fields) == len(headers):
        return fields
    return {name: separator(name).join(value for key, value in headers if key == name) for name in fields}


def separator(name: bytes) -> bytes:
    """Between the lines of a header called ``name``."""
    return JOINED_BY.get(name) or LIST


def _spelled(name: bytes) -> str:
    return "correlationId" if name == b"correlationid" else name.decode("latin-1").title()
