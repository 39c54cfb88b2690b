"""Fields of requests, read strictly: what is wrong, missing or unknown is refused, and named.

An app says once what each field is, for reading and for the API's description. JSON bodies and query strings name the
same fields; in a query every value is text, of numbers too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qsl

from common.errors import FieldError, InvalidInput
from common.text.jsonbody import load_json
from common.text.numbers import number_in
from common.text.rfc3339 import EXAMPLE_INSTANT, read_instant

Value = TypeVar("Value")


@dataclass(frozen=True)
class Kind(Generic[Value]):
    """What values of a field are.

    Attributes:
        read: the value, or ValueError with the sentence that says what it must be.
        schema: the same in JSON Schema, as OpenAPI has it.
    """

    read: Callable[[Any], Value]
    schema: Mapping[str, Any]

    def __call__(self, value: Any) -> Value:
        return self.read(value)

    @property
    def is_number(self) -> bool:
        return self.schema.get("type") in ("integer", "number")


def kind(**schema: Any) -> Callable[[Callable[[Any], Value]], Kind[Value]]:
    """Makes a kind of the function that reads its values."""
    return lambda read: Kind(read, schema)


class Field(NamedTuple):
    """Attributes: says: of this field in the API's description, where its kind does not say enough."""

    kind: Kind[Any]
    is_required: bool = True
    default: Any = None
    says: str = ""


Shape = Mapping[str, Field]


def whole(lowest: int, highest: int) -> Kind[int]:
    """Whole numbers."""
    sentence = f"Must be a whole number from {lowest} to {highest}: digits only, and no text."

    @kind(type="integer", minimum=lowest, maximum=highest)
    def read(value: Any) -> int:
        if type(value) is not int or not lowest <= value <= highest:
            raise ValueError(sentence)
        return value

    return read


def read_body(body: bytes, shape: Shape) -> dict[str, Any]:
    """The fields of a JSON object. Raises InvalidInput, naming each field that is wrong."""
    return read_fields(load_json(body), shape)


def read_query(query: bytes, shape: Shape) -> dict[str, Any]:
    """The fields of a query string. Raises InvalidInput."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError as exc:
        raise InvalidInput(FieldError("query", "Must be names and values in percent-encoded UTF-8.")) from exc
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidInput(FieldError(twice[:100], "Comes twice."))
    return read_fields({name: _from_text(shape.get(name), text) for name, text in pairs}, shape)


def _from_text(field: Field | None, text: str) -> Any:
    return number_in(text) if field and field.kind.is_number else text


def read_fields(given: Any, shape: Shape) -> dict[str, Any]:
    """The values of all fields of ``shape``. Raises InvalidInput, naming each that is wrong, missing or not in it."""
    if not isinstance(given, Mapping):
        raise InvalidInput(FieldError("body", f"Must be an object with {', '.join(shape)}."))
    errors = [FieldError(name[:100], "Is no field here.") for name in given if name not in shape]
    found: dict[str, Any] = {}
    for name, field in shape.items():
        value = given.get(name)
        if value is None:
            found[name] = field.default
            if field.is_required:
                errors.append(FieldError(name, "Is required."))
            continue
        try:
            found[name] = field.kind(value)
        except ValueError as error:
            errors.append(FieldError(name, str(error)))
    if errors:
        raise InvalidInput(*errors)
    return found


@kind(type="string", format="date-time")
def instant(value: Any) -> datetime:
    """Of an RFC 3339 text, in UTC. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f'Must be a text like "{EXAMPLE_INSTANT}".')
    return read_instant(value)


def exact(value: Any) -> Decimal:
    """Of a number. Raises ValueError."""
    if type(value) not in (int, Decimal):
        raise ValueError("Must be a number in digits like 10.50, and no text.")
    return Decimal(value)
