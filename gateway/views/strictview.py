"""DRF views that pass nothing over: a query, a field or a body that nobody reads is refused, and named.

DRF's serializers ignore unknown fields, take the last of several and turn numbers into text. So views say what they
read as ``Shape``, as hot endpoints do, and what they do not say is not read.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar

from django.http import HttpRequest, QueryDict
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.views import APIView

from common.audit import DONE, audit
from common.errors import FieldError, InvalidInput
from common.stores.circuits import Circuit
from common.stores.guarded import WRITE_STORE
from common.text.fields import Shape, read_query
from gateway.contract.refusals import refuse_body
from gateway.endpoints.addresses import template_of
from gateway.keys.clients import account_of
from gateway.keys.scopes import KeyScope

Handler = TypeVar("Handler", bound=Callable[..., Any])


def reads_request_itself(handler: Handler) -> Handler:
    """For a handler of a ``StrictView`` that checks query and body by other means."""
    handler.reads_request_itself = True  # type: ignore[attr-defined]
    return handler


class StrictView(APIView):
    """Attributes:
    parser_classes: of the body of a POST; without any, as here, it has none. No other method has one.
    scopes: by method in lower case, what an API key must have for it; the gateway looks.
    stores: without whose answer there is none; a handler may have others, as ``drf.twin_of`` says.
    queries: by method in lower case, what its query may have; a method that is not in it has no query.
    query: the fields of this request's query.
    is_audited: whether a POST changes what somebody may ask about later.
    """

    parser_classes: Sequence[type[BaseParser]] = []
    scopes: ClassVar[Mapping[str, KeyScope]] = {}
    stores: ClassVar[tuple[Circuit, ...]] = (WRITE_STORE,)
    queries: ClassVar[Mapping[str, Shape]] = {}
    query: dict[str, Any]
    is_audited: ClassVar[bool] = True

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

    def handle_exception(self, exc: Exception) -> Any:
        """Raises what nobody foresaw, which is a 500."""
        try:
            return super().handle_exception(exc)
        except Exception:
            if self.is_audited and self.request.method == "POST":
                _audit(self.request, None, self.kwargs)
            raise

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Also of what was refused."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.is_audited and request.method == "POST":
            _audit(request, response, kwargs)
        return response


def _audit(request: Request, response: Any, parameters: Mapping[str, Any]) -> None:
    """The thing is what the address names, or what was made: an id either way."""
    account, match, made = account_of(request.headers), request.resolver_match, getattr(response, "data", None)
    audit(
        f"account:{account}" if account else "anybody",
        f"POST {template_of(match.route if match else '')}",
        next(iter(parameters.values()), "") or (made.get("id", "") if isinstance(made, dict) else ""),
        _outcome(response),
    )


def _outcome(response: Any) -> str:
    if response is None:
        return "failed"
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        return f"refused {response.status_code}"
    return "replayed" if response.has_header("Idempotency-Replayed") else DONE


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
