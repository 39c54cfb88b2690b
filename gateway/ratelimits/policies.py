"""Which limit a request falls under."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from gateway.endpoints.router import AnyEndpoint

WINDOW_SECONDS = 1
HOT, DJANGO = "hot", "django"


@dataclass(frozen=True, slots=True)
class Policy:
    """One count per client; routes that share a policy share the count.

    Attributes: per_second: steady rate, and the most that comes at once after a pause.
    """

    name: str
    per_second: int


@dataclass(frozen=True, eq=False, slots=True)
class LimitedRoute:
    """A hot endpoint, paths of Django's with a policy of their own, or all else that is Django's.

    Equal only to itself, so that looking one up costs little.

    Attributes:
        name: the endpoint's, the path's policy, or DJANGO.
        is_open_without_store: while the cache store is down, requests are admitted uncounted.
    """

    name: str
    policy: Policy
    is_open_without_store: bool


def limited_routes(endpoints: Iterable[AnyEndpoint]) -> dict[str, LimitedRoute]:
    """The hot endpoints, DJANGO and settings.LIMITED_PATHS by name, with the policies of settings.RATE_LIMIT_POLICIES.

    Raises: ImproperlyConfigured: a policy for a route that does not exist.
    """
    per_second = settings.RATE_LIMIT_POLICIES
    of_django = [DJANGO, *(policy for policy, _ in settings.LIMITED_PATHS)]
    routes = {
        name: LimitedRoute(name, Policy(name, per_second[name]), is_open_without_store=False) for name in of_django
    }
    for endpoint in endpoints:
        name = endpoint.name if endpoint.name in per_second else HOT
        reads = endpoint.method == "GET"
        policy = Policy(name, per_second[name])
        routes[endpoint.name] = LimitedRoute(endpoint.name, policy, is_open_without_store=reads)
    if unknown := sorted(per_second.keys() - routes.keys() - {HOT}):
        known = " ".join(sorted(routes.keys() | {HOT}))
        raise ImproperlyConfigured(f"RATE_LIMIT_POLICIES names {' '.join(unknown)}; there are {known}")
    return routes


def django_route(path: str) -> str:
    """Name of the route that a request to Django counts under: one of settings.LIMITED_PATHS, or DJANGO."""
    return next((policy for policy, prefix in settings.LIMITED_PATHS if path.startswith(prefix)), DJANGO)
