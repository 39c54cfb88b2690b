"""What the gateway knows of Django's addresses before Django is asked: their templates, the scopes that they need, and
the stores that they wait for.

An address that needs none is public: shells without data for people's browsers, and the admin, which has a login of its
own. ``undeclared`` finds those that say neither; a system check refuses them.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve
from django.utils.encoding import repercent_broken_unicode

from common.stores.circuits import Circuit
from common.stores.guarded import READ_STORE, WRITE_STORE
from gateway.contract.http import Scope
from gateway.keys.scopes import KeyScope

_PUBLIC = frozenset({"/", "/docs", "/openapi.json", "/admin"})
_STATIC = "/static/"
_ADMIN = "/admin/"
_PUBLIC_FOLDERS = (_STATIC, _ADMIN)
_PARAMETER = re.compile(r"\(\?P<(\w+)>[^)]*\)|<(?:\w+:)?(\w+)>")  # of an expression, or of a path
_HANDLERS = ("get", "post", "put", "patch", "delete")


class Address(NamedTuple):
    """Attributes:
    template: the path with names in place of what differs, like ``/imports/{import_id}``; empty where there is nothing.
    needs: the scope, if any.
    is_public: whether it does without a key, where keys are required too.
    stores: those that it waits for.
    answers_without_store: sometimes.
    """

    template: str
    needs: KeyScope | None
    is_public: bool
    stores: tuple[Circuit, ...] = ()
    answers_without_store: bool = False


def address_of(scope: Scope) -> Address:
    """Of a request that Django will answer, by the path that Django will see."""
    template, view, is_public = _found(_path_of(scope))
    method = "get" if scope["method"] == "HEAD" else scope["method"].lower()
    if is_public:
        return Address(template, None, is_public, _stores_of_page(template))
    handler = getattr(getattr(view, "cls", None), method, None)
    needs, stores = scopes_of(view).get(method), stores_of(view, method)
    return Address(template, needs, is_public, stores, getattr(handler, "answers_without_store", False))


@lru_cache(4_096)
def _found(path: str) -> tuple[str, Any, bool]:
    """Template, view, and whether it is public."""
    if path.startswith(_STATIC):
        return f"{_STATIC}{{path}}", None, True
    try:
        found = resolve(path)
    except Resolver404:
        return "", None, _is_public(path)
    return template_of(found.route), found.func, _is_public(path)


def _path_of(scope: Scope) -> str:
    """As ``WSGIRequest`` reads it: what is looked at here must be what is answered there."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return repercent_broken_unicode(unquote_to_bytes(raw)).decode() or "/"


def _is_public(path: str) -> bool:
    return path in _PUBLIC or path.startswith(_PUBLIC_FOLDERS)


def _stores_of_page(template: str) -> tuple[Circuit, ...]:
    """The admin's sessions are in the write store, and its pages of promotions look into the read store too."""
    if template.startswith(f"{_ADMIN}promotions/"):
        return (WRITE_STORE, READ_STORE)
    return (WRITE_STORE,) if template.startswith(_ADMIN) else ()


def stores_of(view: Any, method: str) -> tuple[Circuit, ...]:
    """Those of the handler, else of its ``StrictView``."""
    of_class = getattr(view, "cls", None)
    stores: tuple[Circuit, ...] = getattr(getattr(of_class, method, None), "stores", getattr(of_class, "stores", ()))
    return stores


def scopes_of(view: Any) -> Mapping[str, KeyScope]:
    """By method in lower case, as ``StrictView.scopes``."""
    scopes: Mapping[str, KeyScope] = getattr(getattr(view, "cls", None), "scopes", {})
    return scopes


def template_of(route: str) -> str:
    """``imports/<int:import_id>`` of Django in the form of hot endpoints."""
    named = _PARAMETER.sub(lambda found: f"{{{found[1] or found[2]}}}", route)
    return "/" + named.replace("^", "").removesuffix("$")


def undeclared() -> list[str]:
    """Methods and routes of Django's that neither name a scope nor are public."""
    return [
        f"{method.upper()} {template_of(route)}"
        for route, view in _routes(get_resolver())
        if not _is_public("/" + route)
        for method in _handled(view)
        if method not in scopes_of(view)
    ]


def _handled(view: Any) -> list[str]:
    """A view that is no class takes what comes."""
    handlers = getattr(view, "cls", None)
    return [method for method in _HANDLERS if handlers is None or hasattr(handlers, method)]


def _routes(of: URLResolver, before: str = "") -> Iterator[tuple[str, Any]]:
    for entry in of.url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield route, entry.callback
        else:
            yield from _routes(entry, route)
