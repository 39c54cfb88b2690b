"""DRF views that pass nothing over: a query, a field or a body that nobody reads is refused, and named.

DRF's serializers ignore unknown fields, take the last of several and turn numbers into text. So views say what they
read as ``Shape``, as hot endpoints do, and what they do not say is not read.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from django.http import HttpRequest, QueryDict
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.views import APIView

from common.errors import FieldError, InvalidInput
from gateway.fields import Shape, read_query
from gateway.refusals import refuse_body

Handler = TypeVar("Handler", bound=Callable[..., Any])


def reads_request_itself(handler: Handler) -> Handler:
    """For a handler of a ``StrictView`` that checks query and body by other means."""
    handler.reads_request_itself = True  # type: ignore[attr-defined]
    return handler


class StrictView(APIView):
    """Attributes:
    parser_classes: of the body of a POST; without any, as here, it has none. No other method has one.
    queries: by method in lower case, what its query may have; a method that is not in it has no query.
    query: the fields of this request's query.
    """

    parser_classes: Sequence[type[BaseParser]] = []
    queries: ClassVar[Mapping[str, Shape]] = {}
    query: dict[str, Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raises InvalidInput."""
        super().initial(request, *args, **kwargs)
        method = "get" if request.method == "HEAD" else str(request.method).lower()
        handler = getattr(self, method, None) if method in ("get", "post") else None
        if handler is None or getattr(handler, "reads_request_itself", False):
            return
        self.query = read_query(query_of(request), self.queries.get(method, {}))
        if method == "get" or not self.parser_classes:
            refuse_body(request._request.body)


def query_of(request: HttpRequest | Request) -> bytes:
    """As it came, without the question mark."""
    query: str = request.META["QUERY_STRING"]
    return query.encode("latin-1")


def single_values(given: Any) -> Any:
    """A form as the object that it stands for, uploads among its fields; anything else as it is.

    Raises: InvalidInput: a field comes twice, or its text is not UTF-8.
    """
    if not isinstance(given, QueryDict):
        return given
    errors = [FieldError(name[:100], "Comes twice.") for name, values in given.lists() if len(values) > 1]
    # What Django cannot decode it replaces, without a word.
    errors += [
        FieldError(name[:100], "Must be UTF-8.") for name, value in given.items() if "\ufffd" in f"{name}{value}"
    ]
    if errors:
        raise InvalidInput(*errors)
    return given.dict()
