"""JSON bodies, read strictly.

Python's own parser, because it shows every field of an object: a field that comes twice is a mistake of the client, and
faster parsers hide it by taking the last one.
"""

import json
from codecs import BOM_UTF8
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from common.errors import FieldError, InvalidInput
from common.text.numbers import exact_decimal


def load_json(body: bytes) -> Any:
    """The body's one JSON value; a number with a point or an exponent is a Decimal, exactly as it was written.

    A byte order mark in front is passed over, as RFC 8259 allows: clients on Windows send it.

    Raises: InvalidInput: not UTF-8, no JSON, a field that comes twice, NaN or Infinity, too deep, a number too long.
    """
    text = body.removeprefix(BOM_UTF8)
    if not text:
        raise _invalid("Is empty; it must be JSON.")
    try:
        return _DECODER.decode(text.decode())
    except UnicodeDecodeError as exc:
        raise _invalid("Must be UTF-8.") from exc
    except RecursionError as exc:
        raise _invalid("Is nested too deeply.") from exc
    except json.JSONDecodeError as exc:
        raise _invalid(f"Is no JSON: {exc.msg} at character {exc.pos}.") from exc
    except ValueError as exc:  # Python's own limit on digits
        raise _invalid("Has a number with too many digits.") from exc


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidInput(FieldError(twice[:100], "Comes twice in one object."))
    return found


def _exact(text: str) -> Decimal:
    try:
        return exact_decimal(text)
    except InvalidOperation as exc:
        raise _invalid("Has a number with too large an exponent.") from exc


def _refuse_constant(name: str) -> NoReturn:
    raise _invalid(f"Has {name}, which is no JSON.")


def _invalid(detail: str) -> InvalidInput:
    return InvalidInput(FieldError("body", detail))


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_exact, parse_constant=_refuse_constant)
