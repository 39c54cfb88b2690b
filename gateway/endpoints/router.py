"""Finds the hot endpoint of a request with one or two dictionary look-ups."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from gateway.endpoints.hot import HotEndpoint

AnyEndpoint = HotEndpoint[Any, Any]


class Match(NamedTuple):
    endpoint: AnyEndpoint
    param: str


class Router:
    """Maps method and path to an endpoint; what it does not know belongs to Django."""

    def __init__(self, endpoints: Iterable[AnyEndpoint]) -> None:
        self._fixed: dict[tuple[str, str], AnyEndpoint] = {}
        self._with_param: dict[tuple[str, str], AnyEndpoint] = {}
        for endpoint in endpoints:
            head, _, last = endpoint.path.rpartition("/")
            if last.startswith("{"):
                self._with_param[endpoint.method, head] = endpoint
            else:
                self._fixed[endpoint.method, endpoint.path] = endpoint

    def match(self, method: str, path: str) -> Match | None:
        if endpoint := self._fixed.get((method, path)):
            return Match(endpoint, "")
        head, _, last = path.rpartition("/")
        endpoint = self._with_param.get((method, head))
        if endpoint is None or not last or last in endpoint.reserved:
            return None
        return Match(endpoint, last)
