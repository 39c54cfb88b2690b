"""How an app declares a hot endpoint, once, for the hot path and for DRF."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Generic, TypeVar

from django.utils.module_loading import autodiscover_modules
from drf_spectacular.utils import OpenApiParameter
from rest_framework.serializers import BaseSerializer, Serializer

from common.errors import FloodgateError
from common.idempotency import Replayed
from common.stores.circuits import Circuit
from gateway.contract.http import HotRequest, Reply
from gateway.contract.idempotency import REPLAYED_HEADER, record_of
from gateway.contract.refusals import NO_BODY_BYTES, refuse_body, refuse_query
from gateway.endpoints.addresses import Address
from gateway.errors import BodyTooLarge
from gateway.keys.scopes import KeyScope

Item = TypeVar("Item")
Result = TypeVar("Result")

ASK_AGAIN_SECONDS = 0.05
BATCH_SECONDS = 0.75  # a call of each Valkey up to its timeout; half of the deadline


@dataclass(frozen=True, kw_only=True)
class Recall(Generic[Item, Result]):
    """Answers some items from another store than the endpoint's own, so that these do not wait for that one.

    Attributes:
        run: answers in input order, None where the endpoint's own ``run`` is to be asked.
        store: that it waits for. While that is away ``run`` answers None at once.
    """

    run: Callable[[list[Item]], Sequence[Result | FloodgateError | None]]
    store: Circuit
    answers_without_store = True


@dataclass(frozen=True, kw_only=True)
class HotEndpoint(Generic[Item, Result]):
    """An endpoint that machines call often: parsed one by one, run in batches, answered one by one.

    Attributes:
        name: as metrics and OpenAPI call it.
        method, path: ``{param}`` may stand for the last path segment.
        needs: the scope that an API key must have.
        parse: makes the item; raises InvalidInput. Sees no body and no query where none is declared: see ``item``.
        run: the app's bulk function, answering in input order; items of concurrent requests come as one list. Among
            its results a FloodgateError is answered as a problem, and a Replayed with ``Idempotency-Replayed``.
        reply: makes the answer from the item's own result.
        store: opens its circuit when a batch outlives the deadline; while it is open, requests are refused at once.
        answers_without_store: unless ``run`` can answer some items all the same.
        recall: asked first, where there is one; ``run`` gets what it leaves open.
        batch_limit: most items of one call.
        batch_seconds: most that a call takes while its store is well; the rest of the deadline is for waiting. After
            one that took longer than half of this, calls have fewer items.
        in_flight_limit: most requests at a time, from the last byte of the body to the answer; fewer where they are
            large.
        parses_on_thread: where parsing takes longer than the event loop can spare.
        body_limit_bytes: 0 for endpoints without a body.
        reserved: last segments that are other addresses, served by Django.
        asks_again_for: how many seconds after the first answer a result like this is not final: until then the item is
            run again every ASK_AGAIN_SECONDS, and no thread waits meanwhile.
        has_view: a view of the app serves this path in Django, with ``drf.twin_of`` this endpoint among its methods.
        responses: for OpenAPI, by status or by status and media type; None is an empty body.
        request_serializer: for OpenAPI.
        parameters: for OpenAPI, those of the query and headers; without one of the query there is none.
        description: for OpenAPI, a sentence or two.
    """

    name: str
    method: str
    path: str
    needs: KeyScope
    parse: Callable[[HotRequest], Item]
    run: Callable[[list[Item]], Sequence[Result | Replayed[Result] | FloodgateError]]
    reply: Callable[[HotRequest, Result], Reply]
    store: Circuit
    answers_without_store: bool = False
    recall: Recall[Item, Result] | None = None
    batch_limit: int = 1_000
    batch_seconds: float = BATCH_SECONDS
    in_flight_limit: int = 20_000
    parses_on_thread: bool = False
    body_limit_bytes: int = 0
    reserved: frozenset[str] = frozenset()
    asks_again_for: Callable[[Item, Result], float] | None = None
    has_view: bool = False
    responses: Mapping[Any, Any] = field(default_factory=dict)
    request_serializer: type[Serializer[Any]] | BaseSerializer[Any] | None = None
    parameters: tuple[OpenApiParameter | type[Serializer[Any]], ...] = ()
    description: str = ""

    @cached_property
    def address(self) -> Address:
        return Address(self.path, self.needs, is_public=False)

    @cached_property
    def takes_query(self) -> bool:
        return any(getattr(parameter, "location", "query") == "query" for parameter in self.parameters)

    @property
    def most_body_bytes(self) -> int:
        """That are read: of an endpoint without a body enough to know that nothing is said in it."""
        return self.body_limit_bytes or NO_BODY_BYTES

    def item(self, request: HotRequest) -> Item:
        """What ``request`` asks for; a POST gets its idempotency record.

        Raises: BodyTooLarge; InvalidInput, also for a body or a query where none belongs.
        """
        if len(request.body) > self.most_body_bytes:
            raise BodyTooLarge.of(self.most_body_bytes)
        if self.method == "POST":
            request.idempotency = record_of(request, self.name)
        if request.query_string and not self.takes_query:
            refuse_query(request.query_string)
        if request.body and not self.body_limit_bytes:
            refuse_body(request.body)
        return self.parse(request)

    def seconds_to_wait(self, item: Item, result: Result | Replayed[Result] | FloodgateError) -> float:
        """For a final result, counted from the first; 0 for a result that is final."""
        if self.asks_again_for is None or isinstance(result, FloodgateError | Replayed):
            return 0.0
        return self.asks_again_for(item, result)

    def answer(self, request: HotRequest, result: Result | Replayed[Result] | FloodgateError) -> Reply:
        """The answer to ``request``. Raises ``result`` when it is an error."""
        if isinstance(result, FloodgateError):
            raise result
        if isinstance(result, Replayed):
            reply = self.reply(request, result.result)
            return reply._replace(headers=(*reply.headers, REPLAYED_HEADER))
        return self.reply(request, result)


_endpoints: list[HotEndpoint[Any, Any]] = []


def register(*endpoints: HotEndpoint[Any, Any]) -> None:
    """Serve these endpoints; called by each app's ``hot.py``."""
    _endpoints.extend(endpoints)


@cache
def hot_endpoints() -> tuple[HotEndpoint[Any, Any], ...]:
    """Every endpoint that the installed apps declare in their ``hot.py``."""
    autodiscover_modules("hot")
    return tuple(_endpoints)
